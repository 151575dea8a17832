// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <cstddef>

namespace conch {

/// What a lock tells its observer. Each event is reported by the thread that it is about, perhaps with the
/// lock's internal mutex held.
enum class lock_event : unsigned char {
  acquired,        ///< the caller has the lock; the observer is called by the holder
  released,        ///< the caller is about to let go of the lock by unlock()
  wait_started,    ///< the caller found the lock taken and is about to wait
  wait_abandoned,  ///< the caller gave up: timeout or interruption
  vain_wakeup,     ///< a waiter was woken for a lock that somebody else had taken by then
  drop_requested,  ///< a drop request was raised
  forced_switch,   ///< the caller, the holder, passes the lock on at a checkpoint or to yield
  handoff,         ///< the caller, the holder, passes the lock straight to a waiter, and wakes it
  stolen,          ///< a waiter that was woken for a free lock found that another had taken it
  heir_named,      ///< the caller lets go for anybody to take, and wakes the waiter that is to try
  lent,            ///< the caller, the holder, lends the lock to a waiter that spins
  alarm_passed,    ///< the caller wakes a waiter that is to watch the time
  called,          ///< the caller, the holder, wakes a waiter so as to lend it the lock
};

inline constexpr std::size_t lock_event_count = 13;

/// Listens to a lock. on_event() may be called by several threads at once, and must not block, throw
/// or touch the lock.
// clang-format off
template <class O>
concept lock_observer = std::default_initializable<O> && requires(O& observer, lock_event event) {
  { observer.on_event(event) } noexcept;
};
// clang-format on

/// Hears nothing and costs nothing.
struct no_observer {
  static constexpr void on_event(lock_event) noexcept {}  ///< nothing
};

static_assert(lock_observer<no_observer>);

}  // namespace conch
