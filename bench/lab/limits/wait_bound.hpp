// SPDX-License-Identifier: MIT
#pragma once

#include <conch/fmq/config.hpp>

#include <algorithm>
#include <chrono>

namespace conch::lab {

/// What the bound on a wait for an fmq_lock depends on.
struct wait_circumstances {
  unsigned waiters = 0;                 ///< N, the most at a time
  std::chrono::nanoseconds gap{};       ///< σ, the longest time from one checkpoint to the next
  std::chrono::nanoseconds lateness{};  ///< ω, of a wake or timer, at the worst
  fmq_config config{};
};

/// No wait is longer: law 5. See fmq_lock.hpp.
constexpr std::chrono::nanoseconds wait_bound(const wait_circumstances& now) {
  const auto n = static_cast<std::chrono::nanoseconds::rep>(now.waiters);
  return std::max(now.config.boost_age, 2 * n * now.config.quantum) +
         n * (now.config.boost_slice + now.gap + 2 * now.lateness) + now.lateness;
}

}  // namespace conch::lab
