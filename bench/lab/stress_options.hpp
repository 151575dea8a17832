// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "locks.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// The options of conch-lab stress as they were typed.
struct typed_stress_options {
  std::optional<std::string> locks;
  std::optional<std::string> hogs;
  std::optional<std::string> spacing;
  std::string seconds = "1.5";
  bool no_echo = false;
  std::optional<std::string> json;
};

/// What conch-lab stress is to do.
struct stress_options {
  std::vector<lock_entry> locks;
  std::vector<unsigned> hogs;
  std::vector<unsigned> spacings;
  bool echo = true;
  bool closing_table = true;  ///< of hogs of different spacings alone
  clock::duration time_per_run{0};
  std::optional<std::filesystem::path> json;
};

/// Throws usage_error.
stress_options checked(const typed_stress_options& typed);

/// The names of all locks, as they may be typed.
std::string names_of_all_locks();

}  // namespace conch::lab
