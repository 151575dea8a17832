// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace conch::fmq {

// clang-format off
/// The word of an fmq_lock, and every legal change of it.
///
///   locked   A thread has the lock, or it has been given to a thread that has not noticed yet.
///            Anybody may set it while it is clear. Only the holder clears it.
///   queued   A release looks further: threads wait in the lock's schedule, or the holder is known
///            and is to stay so until one comes. Illegal to leave set when neither is so, or clear
///            when one waits, on letting go of the guard.
///   waking   The heir is awake, or its wake-up is on its way, and it will try to take the lock: a
///            release needs to wake nobody. Illegal to set without such a thread. It is cleared by
///            that thread, when it has taken the lock or goes back to sleep, and by a handoff.
///   sealed   The next release must hand over. Legal only together with locked and queued. It is
///            set by an heir that has lost too often, and cleared by the handoff, or when nobody
///            waits any more.
///
/// locked changes at any time; every change of another bit is made under the lock's internal mutex,
/// the guard. Legal while the guard is free:
///
///   0                       free
///   locked                  held, nobody waits: taking and releasing are one step each
///   locked queued           held, all waiters sleep or spin: the release goes through the guard
///   locked queued waking    held, an heir is on its way: the release is one step
///          queued waking    free for the heir, or for whoever comes first
///   locked queued sealed    held: the release goes through the guard and hands over
///
/// Orders: setting locked is an acquire and clearing it a release, and the two pair with each other.
/// What the other bits speak of is ordered by the guard, and so their changes are relaxed. A relaxed
/// change in between leaves the pair together: it is a read-modify-write, or a store by the holder,
/// who releases the lock later itself.
// clang-format on
template <class Platform>
class word {
public:
  // Without the guard ----------------------------------------------------------------------------

  /// Takes a lock that is free and for which nobody waits. No load goes before it: that costs more than
  /// it saves.
  bool take_if_idle() noexcept {
    std::uint32_t seen = 0;
    return bits_.compare_exchange_strong(seen, locked, std::memory_order_acquire,
                                         std::memory_order_relaxed);
  }

  /// Takes a lock that is free, ahead of those who wait if there are any: a sealed one never is.
  bool take_if_free() noexcept {
    auto seen = bits_.load(std::memory_order_relaxed);
    while ((seen & locked) == 0)
      if (bits_.compare_exchange_weak(seen, seen | locked, std::memory_order_acquire,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }

  /// Releases a lock for which nobody waits.
  bool release_if_alone() noexcept {
    std::uint32_t seen = locked;
    return bits_.compare_exchange_strong(seen, 0, std::memory_order_release,
                                         std::memory_order_relaxed);
  }

  /// Releases a lock to which an heir is on its way, unless the release is promised.
  bool release_to_heir() noexcept {
    auto seen = bits_.load(std::memory_order_relaxed);
    while ((seen & (waking | sealed)) == waking)
      if (bits_.compare_exchange_weak(seen, seen & ~locked, std::memory_order_release,
                                      std::memory_order_relaxed))
        return true;
    return false;
  }

  [[nodiscard]] bool is_locked() const noexcept { return has(locked); }

  // With the guard, by a thread that does not hold the lock --------------------------------------
  // Each takes the lock instead, and returns true, if it is free: nobody would be there to release
  // it later and see the change.

  /// Another thread is going to wait.
  bool take_or_queue() noexcept { return take_or_amend(queued, 0); }
  /// The heir goes back to sleep, and may have the next release promised to those who wait.
  bool take_or_rest(bool seal) noexcept { return take_or_amend(seal ? sealed : 0, waking); }
  /// A waiter leaves that is not the heir.
  bool take_or_leave(bool last) noexcept { return take_or_amend(0, last ? queued | sealed : 0); }

  // With the guard, by the holder ----------------------------------------------------------------

  /// Whether the next release is promised to those who wait.
  [[nodiscard]] bool is_sealed() const noexcept { return has(sealed); }

  /// Keeps the lock, or hands it over.
  void hold(bool has_waiters, bool has_heir, bool promised) noexcept {
    bits_.store(locked | (has_waiters ? queued : 0) | (has_heir ? waking : 0) |
                    (has_waiters && promised ? sealed : 0),
                std::memory_order_relaxed);
  }

  /// Releases a lock for which nobody waits any more.
  void release() noexcept { bits_.store(0, std::memory_order_release); }

  /// Releases a lock for the heir, or for whoever comes first.
  void release_for_heir() noexcept { bits_.store(queued | waking, std::memory_order_release); }

private:
  static constexpr std::uint32_t locked = 1;
  static constexpr std::uint32_t queued = 2;
  static constexpr std::uint32_t waking = 4;
  static constexpr std::uint32_t sealed = 8;

  [[nodiscard]] bool has(std::uint32_t bit) const noexcept {
    return (bits_.load(std::memory_order_relaxed) & bit) != 0;
  }

  bool take_or_amend(std::uint32_t set, std::uint32_t clear) noexcept {
    auto seen = bits_.load(std::memory_order_relaxed);
    for (;;) {
      if ((seen & locked) != 0) {
        if (bits_.compare_exchange_weak(seen, (seen & ~clear) | set, std::memory_order_relaxed))
          return false;
      } else {
        if (take_if_free()) return true;
        seen = bits_.load(std::memory_order_relaxed);
      }
    }
  }

  typename Platform::template atomic<std::uint32_t> bits_{0};
};

}  // namespace conch::fmq
