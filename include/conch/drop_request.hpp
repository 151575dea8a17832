// SPDX-License-Identifier: MIT
#pragma once

#include <conch/breaker.hpp>

#include <atomic>
#include <cstdint>

namespace conch {

/// A flag by which waiters ask the holder of a lock to let go at its next checkpoint.
///
/// raise() and clear() are called with the lock's internal mutex held, and so they alternate. A lock
/// may set or clear it together with bits of its own, in one step, if it has seen to it that nobody raises it
/// meanwhile for another reason.
///
/// A host may have the request mirrored in its own breaker, so that one load covers all of its reasons
/// to stop and its push function is called. A host that sees the bit takes it and calls the lock's
/// checkpoint().
template <class Platform>
class drop_request {
public:
  /// What holder and waiters look at.
  using word = typename Platform::template atomic<std::uint32_t>;

  constexpr drop_request() noexcept = default;

  /// Relaxed: the flag orders nothing; whoever sees it goes on to take the lock's internal mutex, or
  /// to look at the lock's own bits in their order, and whoever misses it sees it at a later
  /// checkpoint.
  [[nodiscard]] bool standing() const noexcept {
    return (bits_.load(std::memory_order_relaxed) & asked) != 0;
  }

  /// True if nobody had asked before. Relaxed: see standing(); a host sees it through its breaker.
  bool raise() noexcept {
    if (standing()) return false;
    bits_.fetch_or(asked, std::memory_order_relaxed);
    raise_mirror();
    return true;
  }

  /// The request is met, or its waiter is gone.
  void clear() noexcept {
    if (standing()) bits_.fetch_and(~asked, std::memory_order_relaxed);
    clear_mirror();
  }

  /// Precondition: no other thread uses the lock yet. `bit` is the request's alone.
  void mirror_in(breaker<Platform>& host, std::uint32_t bit) noexcept {
    breaker_ = &host;
    breaker_bit_ = bit;
  }

  // For a lock that changes more in one step with the request -------------------------------------

  static constexpr std::uint32_t asked = 1;  ///< set while a waiter asks
  /// `asked`, if the request stands; the other bits are the lock's own.
  [[nodiscard]] word& bits() noexcept { return bits_; }
  /// Like raise(), in one step with `own` in place of the lock's bits before. Precondition: nobody else
  /// changes the word meanwhile.
  bool raise_with(std::uint32_t own, std::memory_order order) noexcept {
    const bool is_first = !standing();
    bits_.store(own | asked, order);
    if (is_first) raise_mirror();
    return is_first;
  }
  /// To be called before `asked` is cleared in bits() alone. A mirror that is set by somebody who asked
  /// before costs the host a checkpoint for nothing.
  void clear_mirror() noexcept {
    if (breaker_ != nullptr && (breaker_->seen() & breaker_bit_) != 0) breaker_->take(breaker_bit_);
  }
  /// To be called after `asked` is set in bits() alone.
  void raise_mirror() noexcept {
    if (breaker_ != nullptr) breaker_->set(breaker_bit_);
  }

private:
  word bits_{0};
  std::uint32_t breaker_bit_ = 0;
  breaker<Platform>* breaker_ = nullptr;
};

}  // namespace conch
