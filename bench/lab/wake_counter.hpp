// SPDX-License-Identifier: MIT
#pragma once

#include <conch/fmq_lock.hpp>

#include <atomic>
#include <bit>
#include <cstdint>
#include <type_traits>

namespace conch::lab {

/// How often an fmq_lock woke a thread, and what it had reason to.
struct wake_counts {
  std::uint64_t wakes = 0;     ///< of threads that slept
  std::uint64_t handoffs = 0;  ///< sealed ones, and calls to a visit
  std::uint64_t heirs = 0;     ///< releases that found no woken waiter on its way

  wake_counts operator-(const wake_counts& before) const noexcept {
    return {wakes - before.wakes, handoffs - before.handoffs, heirs - before.heirs};
  }
};

/// The real platform, on which an fmq_lock's wakes are counted, for all such locks together. It sees
/// what they are for by the new state of the waiter.
struct wake_counting_platform : posix_platform {
  /// As of now.
  static wake_counts so_far() noexcept {
    return {wakes_.load(std::memory_order_relaxed), handoffs_.load(std::memory_order_relaxed),
            heirs_.load(std::memory_order_relaxed)};
  }

  class parker {
  public:
    class waker {
    public:
      constexpr waker() noexcept = default;
      void wake() const noexcept {
        // One that need not do anything, because nobody sleeps, is a null pointer.
        if (std::bit_cast<std::uintptr_t>(real_) != 0) count(wakes_);
        real_.wake();
      }

    private:
      friend class parker;
      explicit waker(posix_platform::parker::waker real) noexcept : real_(real) {}
      posix_platform::parker::waker real_;
    };

    void park() noexcept { real_.park(); }
    bool park_until(time_point deadline) noexcept { return real_.park_until(deadline); }
    [[nodiscard]] waker unpark() noexcept { return waker(real_.unpark()); }

  private:
    posix_platform::parker real_;
  };

private:
  /// The state of a waiter, of which the store of a reason to wake it is counted.
  class watched_state : public std::atomic<fmq::wait_state> {
  public:
    using std::atomic<fmq::wait_state>::atomic;
    void store(fmq::wait_state state, std::memory_order order) noexcept {
      if (state == fmq::wait_state::granted || state == fmq::wait_state::called) count(handoffs_);
      if (state == fmq::wait_state::heir) count(heirs_);
      std::atomic<fmq::wait_state>::store(state, order);
    }
  };

public:
  template <class T>
  using atomic =
      std::conditional_t<std::is_same_v<T, fmq::wait_state>, watched_state, std::atomic<T>>;

private:
  // Relaxed: a count, which orders nothing.
  static void count(std::atomic<std::uint64_t>& counter) noexcept {
    counter.fetch_add(1, std::memory_order_relaxed);
  }

  static inline std::atomic<std::uint64_t> wakes_{0};
  static inline std::atomic<std::uint64_t> handoffs_{0};
  static inline std::atomic<std::uint64_t> heirs_{0};
};

}  // namespace conch::lab
