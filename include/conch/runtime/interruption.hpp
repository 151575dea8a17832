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
///             runs only between begin() and the end of end(), and once for each interrupt that is
///             taken. One call may be inside another, in a call back; the inner one's function is
///             called then.
/// Algorithm   A word of three bits.
///               interrupted   somebody has interrupted, and the thread has not taken it yet
///               armed         the thread is in, or about to begin, a call that can be unblocked
///               calling       the one who set `interrupted` while armed calls the function; the
///                             thread's end() waits for it
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
    // why. Acquire: pairs with arm(), for function and argument.
    while (!word_.compare_exchange_weak(seen, after_interrupt(seen), std::memory_order_acq_rel,
                                        std::memory_order_relaxed)) {
    }
    if ((after_interrupt(seen) & calling) == 0 || (seen & calling) != 0) return;
    call_.function(call_.argument);
    word_.fetch_and(~calling, std::memory_order_release);  // pairs with disarm()
  }

  // By the thread itself -------------------------------------------------------------------------

  struct call {
    unblock_function function = nullptr;
    void* argument = nullptr;
  };

  /// Before a call that `function` unblocks. Calls it at once if an interrupt stands. Returns the call
  /// around it, for end().
  [[nodiscard]] call begin(unblock_function function, void* argument) noexcept {
    call outer;
    if ((word_.load(std::memory_order_relaxed) & armed) != 0) {  // the thread's own bit
      disarm(armed);
      outer = call_;
    }
    arm({function, argument});
    return outer;
  }

  /// After the call. Takes the interrupt.
  void end(const call& outer) noexcept {
    disarm(armed | interrupted);
    if (outer.function != nullptr) arm(outer);
  }

  /// Outside of a call, before the thread looks at what there is to do. Acquire: pairs with
  /// interrupt().
  void take() noexcept { word_.fetch_and(~interrupted, std::memory_order_acquire); }

  /// In a forked child: whoever was calling is gone.
  void reset_after_fork() noexcept { word_.store(0, std::memory_order_relaxed); }

private:
  enum : std::uint32_t { interrupted = 1, armed = 2, calling = 4 };

  static constexpr std::uint32_t after_interrupt(std::uint32_t seen) noexcept {
    return seen | interrupted |
           ((seen & (interrupted | armed)) == armed ? std::uint32_t{calling} : 0);
  }

  void arm(const call& here) noexcept {
    call_ = here;
    // Release: pairs with interrupt(). Acquire: with it too.
    if ((word_.fetch_or(armed, std::memory_order_acq_rel) & interrupted) != 0)
      here.function(here.argument);
  }

  /// On return the function is not called any more.
  void disarm(std::uint32_t bits) noexcept {
    word_.fetch_and(~bits, std::memory_order_acquire);  // as take()
    while ((word_.load(std::memory_order_acquire) & calling) != 0)
      Platform::yield();  // interrupt()
  }

  call call_;
  typename Platform::template atomic<std::uint32_t> word_{0};
};

}  // namespace conch
