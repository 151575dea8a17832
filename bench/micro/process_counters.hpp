// SPDX-License-Identifier: MIT
#pragma once

#include "../common/cpu_time.hpp"

#include <chrono>
#include <cstdint>

namespace conch::bench {

/// What the process has used up so far.
struct process_counters {
  std::chrono::steady_clock::time_point when;
  double context_switches = 0;  ///< voluntary and not
  double futex_calls = 0;       ///< where they are counted
  lab::cpu_time own{0};
  lab::cpu_time all{0};  ///< and all other processes

  static process_counters now();
};

/// The CPUs that other programs kept busy in between.
double cpus_of_others(const process_counters& begin, const process_counters& end);

}  // namespace conch::bench
