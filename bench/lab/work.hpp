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
/// compiler knows a short cut for.
inline std::uint64_t do_work(work_unit unit, std::uint64_t state) noexcept {
  for (unsigned round = 0; round < unit.rounds; ++round) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  asm volatile("" : "+r"(state)::"memory");  // the result is needed, here and now
  return state;
}

}  // namespace conch::lab
