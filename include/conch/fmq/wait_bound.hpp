// SPDX-License-Identifier: MIT
#pragma once

#include <conch/extremes.hpp>
#include <conch/fmq/config.hpp>

#include <chrono>
#include <cstddef>

namespace conch::fmq {

/// What the bound on a wait for an fmq_lock depends on.
struct wait_circumstances {
  std::size_t waiters = 0;              ///< N, the most at a time, the one in question among them
  std::chrono::nanoseconds gap{};       ///< σ, the longest time from one checkpoint to the next
  std::chrono::nanoseconds lateness{};  ///< ω, of a wake or timer, at the worst
  fmq_config config{};                  ///< of the lock
};

/// No thread waits for an fmq_lock for longer. With the quantum q, boost age B and boosted slice m of the
/// configuration, and for how long a thread spins, s: the configuration's spin, and three times a microsecond
/// for which it may look before it queues:
///
///   max(B, 2·N·q)   until then its turn may come, as anybody's; then it is too old
///   + N · (         each that is as old may be served before it, once, and then has the lock for
///       m             its boosted slice, which nobody cuts short,
///       + σ           the way to its next checkpoint,
///       + 2ω          a late alarm, which asks it to move on, and a late wake of the next one,
///       + s )         and a spin, of one that looks for the lock in vain before it sleeps
///   + 3ω + s        its own wake, twice giving way before it queued, and its own spins before it slept
constexpr std::chrono::nanoseconds wait_bound(const wait_circumstances& now) {
  const auto n = static_cast<std::chrono::nanoseconds::rep>(now.waiters);
  const auto& config = now.config;
  const auto spin =
      config.spin + std::chrono::microseconds(config.spin > config.spin.zero() ? 3 : 0);
  const auto each = config.boost_slice + now.gap + 2 * now.lateness + spin;
  return detail::most_of(config.boost_age, 2 * n * config.quantum) + n * each + 3 * now.lateness +
         spin;
}

}  // namespace conch::fmq
