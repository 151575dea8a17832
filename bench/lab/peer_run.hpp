// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "interrupts.hpp"
#include "locks.hpp"
#include "runtimes.hpp"
#include "work.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace conch::lab {

/// What one run is to be.
struct peer_plan {
  unsigned hogs = 0;
  bool echo = true;
  clock::duration time{0};
};

/// What one run showed.
struct peer_figures {
  unsigned hogs = 0;
  double requests_per_second = 0;
  std::uint64_t requests = 0;
  bool cut_short = false;                     ///< more was to come when the extra time was over
  std::optional<double> hog_work_per_second;  ///< of all hogs, in a unit of their language's own
  double cpus_used_by_others = 0;             ///< how many CPUs other programs kept busy meanwhile
  std::string failure;                        ///< why there are no figures; empty if there are
  bool hung = false;                          ///< threads never came back: the process can but end
};

/// A run is longer than planned, by `extra_time` at most, until so many requests and the last one
/// begun are answered.
inline constexpr std::uint64_t enough_requests = 3;
inline constexpr std::chrono::seconds extra_time{8};

// Both return nothing if they were interrupted. Precondition: the process has one thread.

/// In a process of the runtime's own, after a warm-up. The rate is that up to the last echo.
std::optional<peer_figures> run_runtime(const runtime& runtime, const peer_plan& plan,
                                        interrupts& interrupts);

/// In this process, as conch-lab stress does it.
std::optional<peer_figures> run_lock(const lock_entry& lock, const peer_plan& plan, work_unit unit,
                                     interrupts& interrupts);

}  // namespace conch::lab
