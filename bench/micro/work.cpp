// SPDX-License-Identifier: MIT
#include "work.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>

namespace conch::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr unsigned times = 20'000;

/// What `once` takes; the fastest of many tries was not disturbed.
template <class Once>
nanoseconds fastest(Once once) {
  auto least = clock::duration::max();
  for (int tries = 0; tries < 50; ++tries) {
    const auto begin = clock::now();
    once();
    least = std::min(least, clock::now() - begin);
  }
  return nanoseconds(least) / times;
}

speed measure_speed() {
  return {.step = fastest([] { benchmark::DoNotOptimize(compute({.steps = times}, 1)); }),
          .clock_read = fastest([] {
            for (unsigned i = 0; i < times; ++i) benchmark::DoNotOptimize(clock::now());
          })};
}

}  // namespace

std::uint64_t compute(work amount, std::uint64_t state) noexcept {
  for (unsigned step = 0; step < amount.steps; ++step) {
    state = state * 6364136223846793005U + 1442695040888963407U;  // Knuth's MMIX
    asm volatile("" : "+r"(state));                               // here, now, and one by one
  }
  return state;
}

work speed::work_of(nanoseconds time) const noexcept {
  if (time <= nanoseconds::zero()) return {};
  return {.steps = static_cast<unsigned>(std::max(1.0, std::round(time / step)))};
}

const speed& machine_speed() {
  static const auto measured = measure_speed();
  return measured;
}

}  // namespace conch::bench
