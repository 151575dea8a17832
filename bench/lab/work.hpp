// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>

namespace conch::lab {

/// What a hog does between two checkpoints: a fraction of a microsecond, as an interpreter's
/// instructions are.
struct work_unit {
  unsigned rounds = 0;
  std::chrono::duration<double, std::nano> time{0};  ///< on a CPU that does nothing else
};

inline constexpr std::chrono::nanoseconds wanted_unit_time{300};

/// A unit that takes about wanted_unit_time on this machine.
work_unit calibrate_work();

/// Does one unit. The result depends on every round, and each is a step of xorshift64, which no
/// compiler knows a short cut for. One copy of it serves all locks: where a compiler happens to put a
/// loop changes how fast it is.
std::uint64_t do_work(work_unit unit, std::uint64_t state) noexcept;

}  // namespace conch::lab
