// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/observer.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/thread_safety.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace conch {

/// The GIL of CPython 2: the holder lets go and takes again every so many checkpoints.
///
/// Guarantee   Exclusion, and the order of the binary semaphore below it, which is none. On several
///             CPUs the releaser mostly takes the lock back before the thread that it woke has
///             started to run: the others wake in vain, thousands of times a second.
/// Algorithm   A countdown over a binary semaphore; below zero at a checkpoint it is reset to the
///             check interval, and the lock is released and at once taken again, with no handoff.
///             CPython 2.7, Python/ceval.c (_Py_Ticker, _Py_CheckInterval).
/// Cured       nothing; the countdown is a relaxed atomic, where CPython's is a volatile int.
/// Use it      to see what a release without a handoff does, and to compare.
/// Do not      use it for a program of today.
///
/// Can be constinit where its binary semaphore can: over pthread_lock, but not over sem_lock.
/// A vain_wakeup is reported where a release with waiters ended with the releaser as the next
/// holder.
template <class BinarySemaphore = sem_lock, class Observer = no_observer>
class CONCH_CAPABILITY("mutex") basic_tick_gil {
public:
  using platform = typename BinarySemaphore::platform;  ///< the platform that it is made for
  using Platform = platform;                            ///< the same
  /// Name and abilities, for code that is written against the concept.
  static constexpr lock_traits traits{
      .name = "tick_gil", .fairness = fairness::none, .checkpoint_switches = true};
  static constexpr int default_check_interval = 100;  ///< in checkpoints, as CPython 2 had it

  constexpr basic_tick_gil() noexcept = default;
  /// Throws std::invalid_argument unless check_interval is at least 1.
  explicit constexpr basic_tick_gil(int check_interval)
      : check_interval_(checked(check_interval)) {}
  basic_tick_gil(const basic_tick_gil&) = delete;
  basic_tick_gil& operator=(const basic_tick_gil&) = delete;
  /// Precondition: nobody holds the lock or waits for it.
  ~basic_tick_gil() {
    if (!is_locked()) return;
    violate_contract<Platform>(traits.name, "destroyed while held", this);
  }

  /// Blocks until the caller has the lock. Precondition: the caller does not have it.
  void lock() CONCH_ACQUIRE() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (try_lock()) return;
    forbid_relock();
    observer_.on_event(lock_event::wait_started);
    semaphore_.lock();
    took();
  }

  /// Takes the lock if nobody has it.
  [[nodiscard]] bool try_lock() noexcept CONCH_TRY_ACQUIRE(true) CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (!semaphore_.try_lock()) return false;
    took();
    return true;
  }

  /// Blocks for at most `timeout`; not positive is one try. True if the caller has the lock.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout)
      CONCH_TRY_ACQUIRE(true) {
    return try_then([&] { return semaphore_.try_lock_for(timeout); });
  }

  /// Blocks until `deadline` of any clock at most; a past one is one try.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline)
      CONCH_TRY_ACQUIRE(true) {
    return try_then([&] { return semaphore_.try_lock_until(deadline); });
  }

  /// Lets go. Precondition: the caller has the lock.
  void unlock() CONCH_RELEASE() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (!held_by_caller())
      violate_contract<Platform>(
          traits.name,
          is_locked() ? "unlocked by a thread that does not hold it" : "unlocked while free", this);
    observer_.on_event(lock_event::released);
    let_go();
  }

  /// One tick. Every check_interval() + 1 of them: releases the lock and takes it again.
  bool checkpoint() {
    if (detail::checked && !held_by_caller())
      violate_contract<Platform>(traits.name, "checkpoint of a thread that does not hold it", this);
    // A load and a store, as CPython's decrement is: a force between the two is lost.
    const int left = countdown_.load(std::memory_order_relaxed) - 1;
    countdown_.store(left, std::memory_order_relaxed);
    if (left >= 0) [[likely]]
      return false;
    return end_period();
  }

  /// Releases the lock and takes it again now. True if another thread had it in between.
  bool yield() {
    if (!held_by_caller())
      violate_contract<Platform>(traits.name, "yield of a thread that does not hold it", this);
    return end_period();
  }

  /// Makes the holder's next checkpoint the end of its period, as CPython's pending calls
  /// and signals do; any thread, async-signal-safe. One that races the holder's own tick may be
  /// lost until the period ends by itself, as in CPython.
  void force_checkpoint() noexcept { countdown_.store(0, std::memory_order_relaxed); }

  /// The ticks of a period, less one.
  [[nodiscard]] int check_interval() const noexcept {
    return check_interval_.load(std::memory_order_relaxed);  // a number: orders nothing
  }
  /// Sets it, and starts a new period; any thread. A tick at the same moment may win, and then the old
  /// period goes on to its end. Throws std::invalid_argument unless it is at least 1.
  void set_check_interval(int ticks) {
    check_interval_.store(checked(ticks), std::memory_order_relaxed);
    countdown_.store(ticks, std::memory_order_relaxed);
  }

  /// Whether a thread has it: a snapshot. Any thread.
  [[nodiscard]] bool is_locked() const noexcept { return semaphore_.is_locked(); }
  /// How many threads wait for it: a snapshot. Any thread.
  [[nodiscard]] std::size_t waiters() const noexcept { return semaphore_.waiters(); }
  /// Relaxed: only the caller itself can have stored its own id.
  [[nodiscard]] bool held_by_caller() const noexcept {
    return owner_.load(std::memory_order_relaxed) == Platform::this_thread();
  }

  /// The lock in words: a snapshot. Allocates.
  [[nodiscard]] std::string describe() const {
    return std::string(traits.name) + " over " + semaphore_.describe() + ", " +
           std::to_string(countdown_.load(std::memory_order_relaxed)) + " of " +
           std::to_string(check_interval()) + " ticks left";
  }

  /// In a forked child, before anything else is done with it: as new, held by the caller or free. No
  /// other thread may use it meanwhile.
  void reset_after_fork(bool held) noexcept {
    semaphore_.reset_after_fork(held);
    owner_.store(held ? Platform::this_thread() : thread_id{}, std::memory_order_relaxed);
  }

  /// Who is told of what happens; see observer.hpp.
  [[nodiscard]] Observer& observer() noexcept { return observer_; }

private:
  using thread_id = typename Platform::thread_id;

  static constexpr int checked(int ticks) {
    if (ticks < 1)
      detail::reject("tick_gil: check_interval is " + std::to_string(ticks) +
                     "; it must be at least 1");
    return ticks;
  }

  template <class Wait>
  bool try_then(Wait wait) CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (try_lock()) return true;
    forbid_relock();
    observer_.on_event(lock_event::wait_started);
    const bool acquired = wait();
    if (acquired)
      took();
    else
      observer_.on_event(lock_event::wait_abandoned);
    return acquired;
  }

  void forbid_relock() const {
    if (held_by_caller())
      violate_contract<Platform>(traits.name, "locked again by its holder", this);
  }

  void took() noexcept {
    owner_.store(Platform::this_thread(), std::memory_order_relaxed);
    acquisitions_ = acquisitions_ + 1;
    observer_.on_event(lock_event::acquired);
  }

  void let_go() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    owner_.store(thread_id{}, std::memory_order_relaxed);
    semaphore_.unlock();
  }

  bool end_period() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    countdown_.store(check_interval(), std::memory_order_relaxed);
    const auto before = acquisitions_;  // written by holders alone
    const bool wakes_somebody = waiters() != 0;
    if (wakes_somebody) observer_.on_event(lock_event::forced_switch);
    let_go();
    semaphore_.lock();
    took();
    const bool switched = acquisitions_ != before + 1;
    if (wakes_somebody && !switched) observer_.on_event(lock_event::vain_wakeup);
    return switched;
  }

  BinarySemaphore semaphore_;
  typename Platform::template atomic<int> countdown_{0};
  typename Platform::template atomic<int> check_interval_{default_check_interval};
  typename Platform::template atomic<thread_id> owner_{};
  typename Platform::template plain<std::size_t> acquisitions_{0};
  [[no_unique_address]] Observer observer_;
};

using tick_gil = basic_tick_gil<>;
static_assert(owned_lock<tick_gil> && owned_lock<basic_tick_gil<pthread_lock>>);

}  // namespace conch
