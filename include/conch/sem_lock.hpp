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

/// CPython's lock where the system has POSIX semaphores: an unnamed one, 1 when free.
///
/// Guarantee   Exclusion. No order among waiters: a thread that comes by takes the count ahead of
///             those that have been woken for it.
/// Algorithm   sem_wait to lock, sem_post to unlock; a wait that a signal ends is taken up again
///             with the same deadline. CPython 3.11, Python/thread_pthread.h, with USE_SEMAPHORES.
/// Use it      as the yardstick for a lock made of one system primitive; any thread may unlock.
/// Do not      where fairness matters, or in a hot loop beside waiters: each unlock is a wake-up.
///
/// Cannot be constinit: a POSIX semaphore has no constant initialiser.
template <class Platform = posix_platform, class Observer = no_observer>
class CONCH_CAPABILITY("mutex") basic_sem_lock {
public:
  using platform = Platform;                         ///< the platform that it is made for
  using time_point = typename Platform::time_point;  ///< of the platform's clock
  /// Name and abilities, for code that is written against the concept.
  static constexpr lock_traits traits{
      .name = "sem_lock", .fairness = fairness::none, .any_thread_unlocks = true};

  basic_sem_lock() noexcept = default;
  basic_sem_lock(const basic_sem_lock&) = delete;
  basic_sem_lock& operator=(const basic_sem_lock&) = delete;
  /// Precondition: nobody holds the lock or waits for it.
  ~basic_sem_lock() {
    if (is_locked()) violate_contract<Platform>(traits.name, "destroyed while held", this);
  }

  /// Blocks until the caller has the lock. Precondition: the caller does not have it.
  void lock() noexcept CONCH_ACQUIRE() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (try_lock()) return;
    start_waiting();
    semaphore_.acquire();
    stop_waiting();
    took();
  }

  /// Takes the lock if nobody has it.
  [[nodiscard]] bool try_lock() noexcept CONCH_TRY_ACQUIRE(true) {
    if (!semaphore_.try_acquire()) return false;
    took();
    return true;
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
    if (!is_locked()) violate_contract<Platform>(traits.name, "unlocked while free", this);
    observer_.on_event(lock_event::released);
    semaphore_.release();
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

  /// Whether a thread has it: a snapshot. Any thread.
  [[nodiscard]] bool is_locked() const noexcept { return semaphore_.count() == 0; }
  /// How many threads wait for it: a snapshot. Any thread.
  [[nodiscard]] std::size_t waiters() const noexcept {
    return waiters_.load(std::memory_order_relaxed);  // a snapshot
  }

  /// The lock in words: a snapshot. Allocates.
  [[nodiscard]] std::string describe() const {
    return std::string(traits.name) + ": " + (is_locked() ? "held" : "free") + ", " +
           std::to_string(waiters()) + " waiting";
  }

  /// In a forked child, before anything else is done with it: as new, held by the caller or free. No
  /// other thread may use it meanwhile.
  void reset_after_fork(bool held) noexcept {
    // Not destroyed first: threads that are gone may wait in it.
    std::construct_at(&semaphore_, held ? 0U : 1U);
    waiters_.store(0, std::memory_order_relaxed);
  }

  /// Who is told of what happens; see observer.hpp.
  [[nodiscard]] Observer& observer() noexcept { return observer_; }

private:
  bool acquire_until(time_point deadline) noexcept CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (try_lock()) return true;
    start_waiting();
    const bool acquired = semaphore_.try_acquire_until(deadline);
    stop_waiting();
    if (acquired)
      took();
    else
      observer_.on_event(lock_event::wait_abandoned);
    return acquired;
  }

  void start_waiting() noexcept {
    observer_.on_event(lock_event::wait_started);
    waiters_.fetch_add(1, std::memory_order_relaxed);  // a count for snapshots: orders nothing
  }
  void stop_waiting() noexcept { waiters_.fetch_sub(1, std::memory_order_relaxed); }

  void took() noexcept {
    acquisitions_ = acquisitions_ + 1;
    observer_.on_event(lock_event::acquired);
  }

  typename Platform::semaphore semaphore_{1};
  typename Platform::template atomic<std::size_t> waiters_{0};
  typename Platform::template plain<std::size_t> acquisitions_{0};
  [[no_unique_address]] Observer observer_;
};

using sem_lock = basic_sem_lock<>;
static_assert(cooperative_lock<sem_lock>);

}  // namespace conch
