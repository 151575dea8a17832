// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::bench {

/// What the process has used up so far.
struct process_counters {
  std::chrono::steady_clock::time_point when;
  double context_switches = 0;  ///< voluntary and not
  double futex_calls = 0;       ///< where they are counted

  static process_counters now();
};

}  // namespace conch::bench
