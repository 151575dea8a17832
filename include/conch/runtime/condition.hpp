// SPDX-License-Identifier: MIT
#pragma once

#include <conch/deadline.hpp>
#include <conch/runtime/runtime.hpp>

#include <cstdint>

namespace conch {

/// How a wait for a condition ended.
enum class wait_result { notified, timed_out, interrupted };

/// Where threads of a runtime wait for something that other threads of it bring about: a thread's end, an
/// item in a queue, a lock of the interpreted language. Waits can be interrupted, and so signals,
/// exceptions and pending calls of the main thread reach a thread that waits.
///
/// The runtime's lock guards it, as it guards what is waited for: no wake-up is lost between looking and
/// waiting. Functions are for a thread that runs; notifying is O(1) for each thread woken. Threads that
/// wait are woken in the order in which they came.
template <class Lock>
class condition {
public:
  using platform = typename Lock::platform;          ///< the platform that it is made for
  using time_point = typename platform::time_point;  ///< of the platform's clock

  /// The runtime must outlive it.
  explicit condition(runtime<Lock>& owner) noexcept : runtime_(owner) {}
  condition(const condition&) = delete;
  condition& operator=(const condition&) = delete;
  /// Precondition: no thread waits.
  ~condition() = default;

  /// Lets go until the thread is notified or interrupted, or until the deadline. An interrupted thread
  /// has something to do at a checkpoint, mostly.
  wait_result wait_until(time_point deadline) {
    forget_other_generations();
    auto& self = runtime_.running_state("wait");
    waiter here;
    append(here);
    runtime_.remind(self);
    runtime_.release();
    const auto outer = self.interruption_.begin(&waiter::unblock, &here.sleeper);
    const bool woken = deadline == detail::no_deadline<platform>
                           ? (here.sleeper.park(), true)
                           : here.sleeper.park_until(deadline);
    self.interruption_.end(outer);
    runtime_.acquire();
    if (!here.notified) remove(here);
    runtime_.begin_to_run(self);
    if (here.notified) return wait_result::notified;
    return woken ? wait_result::interrupted : wait_result::timed_out;
  }
  /// As wait_until(), for as long as it takes.
  wait_result wait() { return wait_until(detail::no_deadline<platform>); }

  /// Waits until done(), which is asked by the thread while it runs. What comes up for the thread is done
  /// meanwhile: checkpoint() is called after each interruption, and may throw. False if the deadline came
  /// first.
  template <class Done>
  bool wait_until(time_point deadline, Done done) {
    while (!done()) {
      const auto result = wait_until(deadline);
      if (result == wait_result::interrupted) runtime_.checkpoint();
      if (result == wait_result::timed_out) return done();
    }
    return true;
  }
  /// The same.
  template <class Done>
  void wait(Done done) {
    static_cast<void>(wait_until(detail::no_deadline<platform>, std::move(done)));
  }

  /// Wakes the thread that has waited longest, if there is one. Precondition: the caller runs.
  void notify_one() {
    runtime_.check_runs("notify");
    forget_other_generations();
    if (first_ != nullptr) wake_first();
  }
  /// Wakes all. Precondition: the caller runs. O(waiters).
  void notify_all() {
    runtime_.check_runs("notify");
    forget_other_generations();
    while (first_ != nullptr) wake_first();
  }

private:
  struct waiter {
    typename platform::parker sleeper;
    waiter* next = nullptr;
    bool notified = false;

    static void unblock(void* sleeper) noexcept {
      static_cast<typename platform::parker*>(sleeper)->unpark().wake();
    }
  };

  void append(waiter& last) noexcept {
    auto** link = &first_;
    while (*link != nullptr) link = &(*link)->next;
    *link = &last;
  }

  void remove(waiter& gone) noexcept {
    auto** link = &first_;
    while (*link != &gone) link = &(*link)->next;
    *link = gone.next;
  }

  /// The thread cannot go on before the lock is free, and so `waiter` is safe until then.
  void wake_first() noexcept {
    auto& woken = *first_;
    first_ = woken.next;
    woken.notified = true;
    waiter::unblock(&woken.sleeper);
  }

  /// In a forked child, the threads that waited are gone.
  void forget_other_generations() noexcept {
    if (generation_ == runtime_.generation()) return;
    generation_ = runtime_.generation();
    first_ = nullptr;
  }

  runtime<Lock>& runtime_;
  waiter* first_ = nullptr;
  std::uint32_t generation_ = runtime_.generation();
};

}  // namespace conch
