// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::lab {

using cpu_time = std::chrono::nanoseconds;

/// The CPU time that the calling process has used.
cpu_time used_by_this_process() noexcept;

/// The CPU time that everything on the machine together has used since some time in the past; in
/// the system's ticks, and so only good for differences much longer than 10 ms.
cpu_time used_by_all_processes();

}  // namespace conch::lab
