// SPDX-License-Identifier: MIT
#include "work.hpp"

#include "clock.hpp"

#include <algorithm>

namespace conch::lab {

std::uint64_t do_work(work_unit unit, std::uint64_t state) noexcept {
  for (unsigned round = 0; round < unit.rounds; ++round) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
  }
  asm volatile("" : "+r"(state)::"memory");  // the result is needed, here and now
  return state;
}

work_unit calibrate_work() {
  constexpr int tries = 50;  // the fastest one was not disturbed
  constexpr unsigned rounds = 20'000;
  auto fastest = clock::duration::max();
  std::uint64_t state = 1;
  for (int i = 0; i < tries; ++i) {
    const auto start = clock::now();
    state = do_work({.rounds = rounds}, state);
    fastest = std::min(fastest, clock::now() - start);
  }
  const auto round_time = std::chrono::duration<double, std::nano>(fastest) / rounds;
  const auto wanted = std::max(1.0, wanted_unit_time / round_time);
  return {.rounds = static_cast<unsigned>(wanted), .time = round_time * wanted};
}

}  // namespace conch::lab
