// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "locks.hpp"
#include "runtimes.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// The options of conch-lab peers as they were typed.
struct typed_peers_options {
  std::optional<std::string> locks;
  std::optional<std::string> runtimes;
  std::optional<std::string> hogs;
  std::string seconds = "2";
  std::optional<std::string> json;
};

/// Runtimes of one kind: those whose version is, or begins with, one of these.
struct wanted_runtimes {
  runtime_kind kind;
  std::vector<std::string> versions;  ///< every version begins with an empty one
};

/// What conch-lab peers is to do.
struct peers_options {
  std::vector<lock_entry> locks;
  std::vector<wanted_runtimes> runtimes;
  std::vector<unsigned> hogs;
  clock::duration time_per_run{0};
  std::optional<std::filesystem::path> json;
};

/// Throws usage_error.
peers_options checked(const typed_peers_options& typed);

/// The locks that are measured unless others are named, as they may be typed.
inline constexpr const char* usual_peer_locks = "fmq_lock,timed_gil,tick_gil,std::mutex";

}  // namespace conch::lab
