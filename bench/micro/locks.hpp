// SPDX-License-Identifier: MIT
#pragma once

#include "contention.hpp"
#include "handoff.hpp"
#include "pass.hpp"
#include "visit.hpp"

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace conch::bench {

/// What there is to measure of one lock.
struct measured_lock {
  std::string name;
  std::string missing;  ///< why it cannot be measured; then all below are null
  void (*uncontended)(benchmark::State&) = nullptr;
  void (*checkpoint)(benchmark::State&) = nullptr;  ///< null where a checkpoint does nothing
  decltype(&measure_throughput<std::mutex>) throughput = nullptr;
  decltype(&measure_waits<std::mutex>) waits = nullptr;
  decltype(&measure_handoffs<std::mutex>) handoffs = nullptr;
  decltype(&measure_passing<std::mutex>) passing = nullptr;
  decltype(&measure_visits<std::mutex>) visits = nullptr;
};

/// std::mutex, which all are compared with, comes first.
const std::vector<measured_lock>& all_locks();

}  // namespace conch::bench
