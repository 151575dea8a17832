// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "workloads.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// The options of conch-lab stress as they were typed.
struct typed_stress_options {
  std::string workload = all_workloads().front().name;
  std::optional<std::string> locks{};
  std::optional<std::string> hogs{};
  std::optional<std::string> spacing{};
  std::string seconds = "1.5";
  bool no_echo = false;
  std::string connections = "1";
  std::string burst = "0";
  std::optional<std::string> adversary{};
  std::string burners = "0";
  bool bind = false;
  std::optional<std::string> cpus{};
  std::optional<std::string> json{};
};

/// What conch-lab stress is to do.
struct stress_options {
  lab::workload workload;
  std::vector<lock_entry> locks;
  std::vector<unsigned> hogs;
  std::vector<unsigned> spacings;
  unsigned connections = 1;  ///< of the echo server; 0 is none
  clock::duration burst{0};  ///< CPU time under the lock that an answer takes
  std::optional<lab::adversary> adversary;
  unsigned burners = 0;       ///< threads that compute without the lock
  bool bind = false;          ///< who computes to the first CPU, server and client to others
  bool closing_table = true;  ///< of hogs of different spacings alone
  clock::duration time_per_run{0};
  std::optional<unsigned> cpus;  ///< how many the program is to use, if not all
  std::optional<std::filesystem::path> json;
};

/// Throws usage_error.
stress_options checked(const typed_stress_options& typed);

}  // namespace conch::lab
