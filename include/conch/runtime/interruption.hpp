// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace conch {

/// Ends another thread's blocking call: called by the thread that interrupts, perhaps in a signal
/// handler. It must make the call that goes on now, or that is about to begin, return soon; a wake that
/// only ends a call under way (a plain signal) is not enough. Writing to a pipe that the call also
/// waits for, or leaving a token with a parker, is.
using unblock_function = void (*)(void* argument) noexcept;

/// One thread's answer to interrupts.
///
/// Guarantee   An interrupt is never missed: one that comes while the thread is in no such call ends the
///             next one that it makes, unless the thread has taken it by then. The unblock function
///             runs only between begin() and the end of end(), not while the call is suspended, and
///             once at most from one of these to the next.
/// Algorithm   A word of three bits.
///               interrupted   somebody has interrupted, and the thread has not taken it yet
///               armed         the thread is in, or about to begin, a call that can be unblocked
///               calling       the one who set `interrupted` while armed calls the function; the
///                             thread's end() or suspend() waits for it
///
/// A call may call the thread's own code back: it is suspended then, and the code may make calls of its
/// own inside of it.
template <class Platform>
class interruption {
public:
  constexpr interruption() noexcept = default;
  interruption(const interruption&) = delete;
  interruption& operator=(const interruption&) = delete;

  /// Any thread, as long as this object lives; async-signal-safe if the function is.
  void interrupt() noexcept {
    auto seen = word_.load(std::memory_order_relaxed);
    // Written also where nothing changes. Release: whoever takes the interrupt, or begins a call, sees
    // why. Acquire: pairs with begin(), for function and argument.
    while (!word_.compare_exchange_weak(seen, after_interrupt(seen), std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
    }
    if ((after_interrupt(seen) & calling) == 0 || (seen & calling) != 0) return;
    function_(argument_);
    word_.fetch_and(~calling, std::memory_order_release);  // pairs with disarm()
  }

  // By the thread itself -------------------------------------------------------------------------

  /// A call under way that can be unblocked, or none.
  struct call {
    unblock_function function = nullptr;  ///< nullptr: none
    void* argument = nullptr;             ///< of the function
  };

  /// Before a call that `function` unblocks. Calls it at once if an interrupt stands. Returns the call,
  /// suspended, inside of which this one is, for end().
  [[nodiscard]] call begin(unblock_function function, void* argument) noexcept {
    const call outer{function_, argument_};
    function_ = function;
    argument_ = argument;
    arm();
    return outer;
  }

  /// After the call. Takes the interrupt.
  void end(call outer) noexcept {
    disarm(armed | interrupted);  // as take()
    function_ = outer.function;
    argument_ = outer.argument;
  }

  /// Whether the thread is inside of a call, which may be suspended.
  [[nodiscard]] bool is_inside() const noexcept { return function_ != nullptr; }
  /// Inside of a call: it is not to be unblocked until it goes on.
  [[gnu::cold]] void suspend() noexcept { disarm(armed); }
  [[gnu::cold]] void resume() noexcept { arm(); }  ///< the end of suspend()

  /// Outside of a call, before the thread looks at what there is to do. Acquire: pairs with
  /// interrupt().
  void take() noexcept { word_.fetch_and(~interrupted, std::memory_order_acquire); }

  /// For another thread, or again for the same one. Acquire: as take().
  void renew() noexcept {
    function_ = nullptr;
    word_.exchange(0, std::memory_order_acquire);
  }

  /// In a forked child: whoever was calling is gone. A call under way goes on.
  void reset_after_fork() noexcept { word_.fetch_and(armed, std::memory_order_relaxed); }

private:
  enum : std::uint32_t { interrupted = 1, armed = 2, calling = 4 };

  static constexpr std::uint32_t after_interrupt(std::uint32_t seen) noexcept {
    return seen | interrupted |
           ((seen & (interrupted | armed)) == armed ? std::uint32_t{calling} : 0);
  }

  void arm() noexcept {
    // Release: pairs with interrupt(). Acquire: with it too.
    if ((word_.fetch_or(armed, std::memory_order_acq_rel) & interrupted) != 0) function_(argument_);
  }

  void disarm(std::uint32_t bits) noexcept {
    word_.fetch_and(~bits, std::memory_order_acquire);  // pairs with interrupt(), both
    while ((word_.load(std::memory_order_acquire) & calling) != 0) Platform::yield();
  }

  unblock_function function_ = nullptr;
  void* argument_ = nullptr;
  typename Platform::template atomic<std::uint32_t> word_{0};
};

}  // namespace conch
