// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace conch {

/// A word of reasons for which the thread that runs should stop at its next checkpoint: a bit each.
/// One relaxed load looks for all of them.
///
/// Push as well as poll: a host may have a function called when the word leaves zero, so that a virtual
/// machine whose interrupt is pushed (Lua's lua_sethook, V8's RequestInterrupt) pays nothing while
/// nobody asks. It runs on the thread that sets the bit, perhaps in a signal handler and with a lock's
/// internal mutex held: it must not block or touch a lock. It is called again only after the word was
/// zero again. Whoever leaves reasons standing, as an exception at a checkpoint may, calls push(). Where it
/// sets a flag of the host's, that is a read-modify-write that releases, and the host, which looks at the
/// flag with acquire, clears it before it deals with the reasons, by a read-modify-write too: else it
/// may find the word as it was, or lose a push.
///
/// Whoever deals with a reason takes its bit first and looks at the reason itself then; whoever gives a
/// reason states it first and sets the bit then. So no reason is missed; a bit may stand for one that
/// was dealt with already.
///
/// Orders: set() and take() are seq_cst. A host relies on that to find out which thread to push: it
/// stores which thread runs and then looks at the word, both seq_cst, while a push does the two the
/// other way around.
template <class Platform>
class breaker {
public:
  using bits = std::uint32_t;  ///< a set of reasons, a bit for each
  /// Asks the thread that runs to stop soon. Async-signal-safe if reasons are set in signal handlers.
  using push_function = void (*)(void* context) noexcept;

  constexpr breaker() noexcept = default;
  /// `push_to` is called with `context` when the word leaves zero; it may be nullptr.
  constexpr breaker(push_function push_to, void* context) noexcept
      : push_(push_to), context_(context) {}
  breaker(const breaker&) = delete;
  breaker& operator=(const breaker&) = delete;

  /// Relaxed: a reason that is missed now is seen at a later checkpoint.
  [[nodiscard]] bool any() const noexcept { return seen() != 0; }
  /// The reasons that stand now: a snapshot. Any thread.
  [[nodiscard]] bits seen(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return word_.load(order);
  }
  /// The word itself, for code that looks at it without calling any(): compiled at run time, or in C.
  [[nodiscard]] const typename Platform::template atomic<bits>& word() const noexcept {
    return word_;
  }

  /// Any thread; async-signal-safe if the push function is.
  void set(bits reasons) noexcept {
    if (word_.fetch_or(reasons, std::memory_order_seq_cst) == 0) push();
  }

  /// Clears these bits, and returns those of them that were set.
  bits take(bits reasons) noexcept {
    return word_.fetch_and(~reasons, std::memory_order_seq_cst) & reasons;
  }

  /// Whether it has a push function.
  [[nodiscard]] bool is_pushed() const noexcept { return push_ != nullptr; }
  /// Calls the function as set() does: for another thread that runs now, while the word is not zero.
  void push() const noexcept {
    if (push_ != nullptr) push_(context_);
  }

private:
  typename Platform::template atomic<bits> word_{0};
  push_function push_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace conch
