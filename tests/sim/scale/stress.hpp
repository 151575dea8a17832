// SPDX-License-Identifier: MIT
#pragma once

#include "computer.hpp"

#include <string>

namespace conch::sim::scale {

/// One run of the stress scenario on a simulated machine.
struct stress_plan {
  std::string lock;
  unsigned cores = 1;
  unsigned hogs = 0;
  machine_costs costs{};
  duration work{300};  ///< of a hog, from one checkpoint to the next
  duration warm_up{};  ///< after which the figures are taken …
  duration time{};     ///< … for so long
  std::uint64_t seed = 1;
};

struct stress_result {
  computer::ending ending = computer::ending::done;
  bool exclusive = true;  ///< no two threads held the lock at once
  double requests_per_second = 0;
  double hog_share = 0;          ///< the time in which hogs worked ÷ all time
  duration p99_wait{};           ///< of the echo thread, for the lock
  duration longest_wait{};       ///< likewise
  bool still_waits = false;      ///< the longest wait lasted beyond the end
  double wakes_per_handoff = 0;  ///< not finite if there was no handoff
};

/// Throws std::invalid_argument if there is no such lock.
stress_result run_stress(const stress_plan& plan, std::chrono::steady_clock::duration patience);

}  // namespace conch::sim::scale
