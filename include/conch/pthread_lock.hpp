// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/deadline.hpp>
#include <conch/observer.hpp>
#include <conch/platform/posix.hpp>
#include <conch/thread_safety.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace conch {

/// CPython's portable binary semaphore: a mutex, a condition variable and a flag.
///
/// Guarantee   Exclusion, and no lost wake-up. No order among waiters: whoever comes by while the
///             flag is down takes it, also ahead of threads that have waited for long.
/// Algorithm   Wait on the condition until the flag is down, and raise it; to unlock, lower it and
///             signal under the mutex. CPython 3.11, Python/thread_pthread.h, without
///             USE_SEMAPHORES.
/// Cured       CPython's try with a zero timeout uses a trylock on the mutex and can fail on a free
///             lock; its timed wait gives up without another look at the flag and can swallow a
///             signal. A signal after the mutex was released (CPython's bpo-38106) touched memory
///             that might be gone.
/// Use it      as the plain yardstick, and where any thread may unlock.
/// Do not      where fairness or speed matters. glibc before 2.41 can lose a condition's wake-up;
///             waits then last up to posix_platform::condition::heal_period longer.
///
/// Can be constinit, with glibc from 2.30 on.
template <class Platform = posix_platform, class Observer = no_observer>
class CONCH_CAPABILITY("mutex") basic_pthread_lock {
public:
  using platform = Platform;                         ///< the platform that it is made for
  using time_point = typename Platform::time_point;  ///< of the platform's clock
  /// Name and abilities, for code that is written against the concept.
  static constexpr lock_traits traits{
      .name = "pthread_lock", .fairness = fairness::none, .any_thread_unlocks = true};

  constexpr basic_pthread_lock() noexcept = default;
  basic_pthread_lock(const basic_pthread_lock&) = delete;
  basic_pthread_lock& operator=(const basic_pthread_lock&) = delete;
  /// Precondition: nobody holds the lock or waits for it.
  ~basic_pthread_lock() {
    if (is_locked()) violate_contract<Platform>(traits.name, "destroyed while held", this);
  }

  /// Blocks until the caller has the lock. Precondition: the caller does not have it.
  void lock() noexcept CONCH_ACQUIRE() { acquire_until(detail::no_deadline<Platform>); }

  /// Takes the lock if nobody has it.
  [[nodiscard]] bool try_lock() noexcept CONCH_TRY_ACQUIRE(true) {
    mutex_.lock();
    const bool free = !is_locked();
    if (free) take();
    mutex_.unlock();
    return free;
  }

  /// Blocks for at most `timeout`; not positive is one try. True if the caller has the lock.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout)
      CONCH_TRY_ACQUIRE(true) {
    return acquire_until(detail::deadline_after<Platform>(timeout));
  }

  /// Blocks until `deadline` of any clock at most; a past one is one try.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline)
      CONCH_TRY_ACQUIRE(true) {
    return detail::acquire_by<Platform>(deadline, [this](auto d) { return acquire_until(d); });
  }

  /// Lets go. Precondition: the lock is held, by any thread.
  void unlock() CONCH_RELEASE() {
    mutex_.lock();
    const bool held = is_locked();
    if (held) {
      observer_.on_event(lock_event::released);
      locked_.store(false, std::memory_order_relaxed);
      condition_.notify_one();  // under the mutex: after it the lock may be gone
    }
    mutex_.unlock();
    if (!held) violate_contract<Platform>(traits.name, "unlocked while free", this);
  }

  /// Does nothing: no waiter can ask this lock's holder to move on. False.
  bool checkpoint() noexcept { return false; }

  /// Lets go and takes the lock again. True if another thread had it in between.
  bool yield() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    const auto before = acquisitions_;  // written by holders alone
    unlock();
    lock();
    return acquisitions_ != before + 1;
  }

  // Relaxed, here and in all that follows: both are written under mutex_ alone, which orders them;
  // a reader without it gets a snapshot.
  /// Whether a thread has it: a snapshot. Any thread.
  [[nodiscard]] bool is_locked() const noexcept { return locked_.load(std::memory_order_relaxed); }
  /// How many threads wait for it: a snapshot. Any thread.
  [[nodiscard]] std::size_t waiters() const noexcept {
    return waiters_.load(std::memory_order_relaxed);
  }

  /// The lock in words: a snapshot. Allocates.
  [[nodiscard]] std::string describe() const {
    return std::string(traits.name) + ": " + (is_locked() ? "held" : "free") + ", " +
           std::to_string(waiters()) + " waiting";
  }

  /// In a forked child, before anything else is done with it: as new, held by the caller or free. No
  /// other thread may use it meanwhile.
  void reset_after_fork(bool held) noexcept {
    std::construct_at(&mutex_);  // not destroyed first: threads that are gone may wait in it
    std::construct_at(&condition_);
    waiters_.store(0, std::memory_order_relaxed);
    locked_.store(held, std::memory_order_relaxed);
  }

  /// Who is told of what happens; see observer.hpp.
  [[nodiscard]] Observer& observer() noexcept { return observer_; }

private:
  bool acquire_until(time_point deadline) noexcept {
    mutex_.lock();
    if (is_locked()) wait_until(deadline);
    const bool free = !is_locked();
    if (free) take();
    mutex_.unlock();
    return free;
  }

  void wait_until(time_point deadline) noexcept {
    observer_.on_event(lock_event::wait_started);
    waiters_.fetch_add(1, std::memory_order_relaxed);
    for (;;) {
      const auto seen = acquisitions_;
      condition_.wait_until(mutex_, deadline);
      if (!is_locked()) break;
      if (deadline != detail::no_deadline<Platform> && Platform::now() >= deadline) {
        observer_.on_event(lock_event::wait_abandoned);
        break;
      }
      if (acquisitions_ != seen) observer_.on_event(lock_event::vain_wakeup);
    }
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }

  void take() noexcept {
    locked_.store(true, std::memory_order_relaxed);
    acquisitions_ = acquisitions_ + 1;
    observer_.on_event(lock_event::acquired);
  }

  typename Platform::mutex mutex_;
  typename Platform::condition condition_;
  typename Platform::template atomic<bool> locked_{false};
  typename Platform::template atomic<std::size_t> waiters_{0};
  typename Platform::template plain<std::size_t> acquisitions_{0};
  [[no_unique_address]] Observer observer_;
};

using pthread_lock = basic_pthread_lock<>;
static_assert(cooperative_lock<pthread_lock>);

}  // namespace conch
