// SPDX-License-Identifier: MIT
#pragma once

#include "../clock.hpp"
#include "../locks.hpp"
#include "trials.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// The options of conch-lab limits as they were typed.
struct typed_limits_options {
  std::string lock = "fmq_lock";
  std::optional<std::string> trials{};
  std::string repetitions = "3";
  std::string seconds = "1";
  std::optional<std::string> json{};
};

/// What conch-lab limits is to do.
struct limits_options {
  lock_entry lock;
  std::vector<trial> trials;
  unsigned repetitions = 1;
  clock::duration time_per_run{0};
  std::optional<std::filesystem::path> json;
};

/// Throws usage_error.
limits_options checked(const typed_limits_options& typed);

}  // namespace conch::lab
