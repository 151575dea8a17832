// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace conch {

/// A flag by which waiters ask the holder of a lock to let go at its next checkpoint.
///
/// raise() and clear() are called with the lock's internal mutex held, and so they alternate. A lock
/// may clear it together with bits of its own, in one step, if it has seen to it that nobody raises it
/// meanwhile for a reason of its own.
///
/// A host may have the request mirrored where it looks anyway:
///  - a bit of its own breaker word, so that one load covers all of its reasons to stop;
///  - a function, so that a virtual machine whose interrupt is pushed (Lua's lua_sethook, V8's
///    RequestInterrupt) pays nothing while nobody asks. It runs on the asking thread, must not
///    block or touch the lock, and is called again only after the request was cleared.
/// A host whose mirror is set calls the lock's checkpoint(), which clears both.
template <class Platform>
class drop_request {
public:
  using word = typename Platform::template atomic<std::uint32_t>;
  using listener = void (*)(void* context) noexcept;

  constexpr drop_request() noexcept = default;

  /// Relaxed: the flag orders nothing; whoever sees it goes on to take the lock's internal mutex,
  /// and whoever misses it sees it at a later checkpoint.
  [[nodiscard]] bool standing() const noexcept {
    return (bits_.load(std::memory_order_relaxed) & asked) != 0;
  }

  /// True if nobody had asked before.
  bool raise() noexcept {
    if (standing()) return false;
    if (mirror_ != nullptr) mirror_->fetch_or(mirror_bit_, std::memory_order_relaxed);
    bits_.fetch_or(asked, std::memory_order_release);  // whoever sees it can clear the mirror
    if (listener_ != nullptr) listener_(context_);
    return true;
  }

  void clear() noexcept {
    if (standing()) bits_.fetch_and(~asked, std::memory_order_relaxed);
    clear_mirror();
  }

  /// Precondition for both: no other thread uses the lock yet.
  void mirror_in(word& breaker, std::uint32_t bit) noexcept {
    mirror_ = &breaker;
    mirror_bit_ = bit;
  }
  void tell(listener function, void* context) noexcept {
    listener_ = function;
    context_ = context;
  }

  // For a lock that changes more in one step with the request -------------------------------------

  static constexpr std::uint32_t asked = 1;
  /// `asked`, if the request stands; the other bits are the lock's own.
  [[nodiscard]] word& bits() noexcept { return bits_; }
  /// To be called before `asked` is cleared in bits() alone. A mirror that is set again in between stays
  /// so until the next clear(), and costs a checkpoint for nothing.
  void clear_mirror() noexcept {
    if (mirror_ != nullptr && (mirror_->load(std::memory_order_relaxed) & mirror_bit_) != 0)
      mirror_->fetch_and(~mirror_bit_, std::memory_order_relaxed);
  }

private:
  word bits_{0};
  std::uint32_t mirror_bit_ = 0;
  word* mirror_ = nullptr;
  listener listener_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace conch
