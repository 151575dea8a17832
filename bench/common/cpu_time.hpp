// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::lab {

using cpu_time = std::chrono::nanoseconds;

/// The CPU time that the calling process has used.
cpu_time used_by_this_process() noexcept;

/// The CPU time that was used up to one moment, since some time in the past.
struct cpu_usage {
  std::chrono::steady_clock::time_point when;
  cpu_time own{0};  ///< of this process, and of others of the same program if the caller adds them
  /// Of everything on the machine; in the system's ticks, and so only good for differences much
  /// longer than 10 ms.
  cpu_time all{0};

  static cpu_usage now();
};

/// How many CPUs other programs kept busy in between.
double cpus_used_by_others(const cpu_usage& from, const cpu_usage& to);

}  // namespace conch::lab
