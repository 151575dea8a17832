// SPDX-License-Identifier: MIT
#pragma once

#include "options.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace conch::bench {

/// One measurement to come.
struct planned_benchmark {
  std::string name;                       ///< ROW/LOCK
  std::chrono::duration<double> time{0};  ///< what it will take, about
};

/// Hands every measurement to Google Benchmark, in the order in which they will be made: row by row,
/// and in a row round by round, so that locks that are compared are measured within seconds of each
/// other. Only those whose name the filter, as in --benchmark_filter, selects. Throws
/// std::regex_error.
std::vector<planned_benchmark> add_benchmarks(const pace& speed, const std::string& filter);

}  // namespace conch::bench
