// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>

#include <atomic>
#include <cstdint>

namespace conch::testing {

/// The real platform, with counts of what costs something. For one lock in one test at a time.
struct counting_platform : posix_platform {
  static inline std::atomic<std::uint64_t> clock_reads{0};
  static inline std::atomic<std::uint64_t> sleeps{0};
  static inline std::atomic<std::uint64_t> unparks{0};

  static void reset() noexcept {
    clock_reads = 0;
    sleeps = 0;
    unparks = 0;
  }

  // Relaxed: the counts order nothing, and hide no race.
  static time_point now() noexcept {
    clock_reads.fetch_add(1, std::memory_order_relaxed);
    return posix_platform::now();
  }

  class parker {
  public:
    using waker = posix_platform::parker::waker;

    void park() noexcept {
      sleeps.fetch_add(1, std::memory_order_relaxed);
      real_.park();
    }
    bool park_until(time_point deadline) noexcept {
      sleeps.fetch_add(1, std::memory_order_relaxed);
      return real_.park_until(deadline);
    }
    [[nodiscard]] waker unpark() noexcept {
      unparks.fetch_add(1, std::memory_order_relaxed);
      return real_.unpark();
    }

  private:
    posix_platform::parker real_;
  };
};

}  // namespace conch::testing
