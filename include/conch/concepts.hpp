// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>

namespace conch {

/// In which order waiters get a lock.
enum class fairness {
  none,       ///< no promise: whoever comes at the right moment
  eventual,   ///< every waiter gets it in the end, in no promised order
  fifo,       ///< in the order in which they came
  time_fair,  ///< so that the time for which each holds it evens out
};

/// What kind of lock a type is.
struct lock_traits {
  const char* name;                  ///< the name without `basic_`, for reports and messages
  conch::fairness fairness;          ///< its promise to waiters
  bool checkpoint_switches = false;  ///< a checkpoint can let another thread in
  bool any_thread_unlocks = false;   ///< a thread other than the holder may unlock
  bool interruptible = false;        ///< satisfies interruptible_lock
};

/// The standard's BasicLockable.
template <class L>
concept basic_lockable = requires(L& lock) {
  lock.lock();
  lock.unlock();
};

/// The standard's Lockable. conch's locks promise more: try_lock never fails while the lock is free
/// and stays free.
template <class L>
concept lockable = basic_lockable<L> && requires(L& lock) {
  { lock.try_lock() } -> std::same_as<bool>;
};

/// The standard's TimedLockable. A deadline in the past is one try, and a grant that races a
/// timeout wins.
template <class L>
concept timed_lockable = lockable<L> && requires(L& lock, std::chrono::nanoseconds timeout,
                                                 std::chrono::steady_clock::time_point steady,
                                                 std::chrono::system_clock::time_point system) {
  { lock.try_lock_for(timeout) } -> std::same_as<bool>;
  { lock.try_lock_until(steady) } -> std::same_as<bool>;
  { lock.try_lock_until(system) } -> std::same_as<bool>;
};

/// A lock for threads that take turns: its holder says often where another may come in.
///
/// checkpoint()   Called by the holder, as often as it likes. Lets the lock pass on if the lock's
///                policy says so. True if another thread held it in between.
/// yield()        Called by the holder. A checkpoint at which somebody has asked: a lock with a
///                handoff passes to a waiter if there is one; a lock without releases and takes
///                again.
/// is_locked(), waiters()   Snapshots, for monitoring only.
/// describe()     The lock's state in words, for the moment when a program hangs. May allocate.
/// reset_after_fork(held)   In a forked child, where only the caller is left: nobody waits, and the
///                caller holds the lock if `held`. Valid whatever the lock's state was at the fork.
// Version 14 takes `noexcept` in a requirement for the start of a declaration.
// clang-format off
template <class L>
concept cooperative_lock = timed_lockable<L> && requires(L& lock, const L& snapshot) {
  { lock.checkpoint() } -> std::same_as<bool>;
  { lock.yield() } -> std::same_as<bool>;
  { snapshot.is_locked() } noexcept -> std::same_as<bool>;
  { snapshot.waiters() } noexcept -> std::same_as<std::size_t>;
  { lock.describe() } -> std::same_as<std::string>;
  { lock.reset_after_fork(true) } noexcept;
  { std::bool_constant<(L::traits.name != nullptr)>{} } -> std::same_as<std::true_type>;
};

/// A cooperative lock that knows its holder. held_by_caller() is async-signal-safe.
template <class L>
concept owned_lock = cooperative_lock<L> && requires(const L& snapshot) {
  { snapshot.held_by_caller() } noexcept -> std::same_as<bool>;
};

/// How an interruptible acquire ended.
enum class acquire_result { acquired, timed_out, interrupted };

/// A cooperative lock whose waits another thread, or a signal handler, can end.
///
/// interrupt_handle()     Names the calling thread to interrupt(); valid while the thread lives.
/// interrupt(handle)      Ends that thread's wait in lock_interruptible_until(), or its next one if
///                        it does not wait now: an interrupt is never missed, and two before the
///                        same wait are one. Async-signal-safe.
/// lock_interruptible_until(deadline)   acquired, timed_out or interrupted; an acquire that races
///                        an interrupt wins, and the interrupt then ends the next wait.
template <class L>
concept interruptible_lock =
    cooperative_lock<L> && requires(L& lock, std::chrono::steady_clock::time_point deadline) {
      { lock.lock_interruptible_until(deadline) } -> std::same_as<acquire_result>;
      { L::interrupt(L::interrupt_handle()) } noexcept;
    };
// clang-format on

}  // namespace conch
