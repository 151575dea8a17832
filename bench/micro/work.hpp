// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace conch::bench {

/// How much a thread computes, which it can do without reading a clock.
struct work {
  unsigned steps = 0;
};

/// Does it. Each step needs the one before it, and takes about as long on every CPU of a kind. One copy
/// of it serves all locks: where the compiler happens to put such a loop may make it a tenth slower.
std::uint64_t compute(work amount, std::uint64_t state) noexcept;

using nanoseconds = std::chrono::duration<double, std::nano>;

/// What one step and one look at the clock take on this machine, on a CPU that does nothing else.
struct speed {
  nanoseconds step{1};
  nanoseconds clock_read{1};

  /// Work that takes the given time: at least one step, unless the time is zero or less.
  [[nodiscard]] work work_of(nanoseconds time) const noexcept;
};

/// Measured at the first call.
const speed& machine_speed();

}  // namespace conch::bench
