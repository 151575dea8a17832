// SPDX-License-Identifier: MIT
#pragma once

#include "world.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conch::sim {

/// A program of a few threads that must go well under every schedule.
struct scenario {
  std::string name;
  std::function<void()> body;
  machine where{};
  /// What the suite searches: every schedule within these bounds, one after the other …
  std::vector<bounds> exhaustive{};
  /// … and this many random ones.
  std::uint64_t random = 0;
};

struct failure {
  std::string what;
  std::string replay;  ///< for make_replay()
  std::string trace;
  std::uint64_t after = 0;  ///< how many schedules were tried, this one included
};

struct report {
  std::uint64_t schedules = 0;
  std::uint64_t choices = 0;
  std::uint64_t steps = 0;
  bool complete = false;  ///< the scheduler had nothing left to try
  std::optional<failure> found;
};

/// Runs schedule after schedule until one fails, the scheduler has no more, or `most` are done.
report explore(const scenario& what, scheduler& how, std::uint64_t most = ~std::uint64_t{0},
               std::optional<std::chrono::steady_clock::time_point> until = std::nullopt);

/// The suite's share of a scenario: its exhaustive bounds, then random schedules and PCT ones of
/// depths 2 to 4 in turn. At most `most` schedules for each exhaustive search.
report check(const scenario& what, std::uint64_t seed, std::uint64_t most = 200'000);

/// Random schedules only.
report roam(const scenario& what, std::uint64_t seed, std::uint64_t schedules,
            std::optional<std::chrono::steady_clock::time_point> until = std::nullopt);

/// One schedule again, with its trace.
outcome replay(const scenario& what, std::string_view choices);

/// What a failure prints: the replay command, the trace and the reason.
std::string describe(const scenario& what, const failure& found);

}  // namespace conch::sim
