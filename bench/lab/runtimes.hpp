// SPDX-License-Identifier: MIT
#pragma once

#include "interrupts.hpp"
#include "temporary_directory.hpp"

#include <string>
#include <vector>

namespace conch::lab {

/// A runtime that was found on this machine.
struct runtime {
  std::string name;                  ///< as tables show it
  std::string version;               ///< of the language
  std::vector<std::string> command;  ///< its echo program, to which the number of hogs is added
};

/// A runtime that cannot be measured.
struct unusable_runtime {
  std::string name;
  std::string reason;
};

/// All runtimes of one kind, the oldest version first.
struct found_runtimes {
  std::vector<runtime> usable;
  std::vector<unusable_runtime> absent;  ///< nothing of the kind is installed, or it is no use
  std::vector<unusable_runtime> failed;  ///< installed, and yet its echo program cannot be had
};

/// Which kinds of runtimes there are, and how each is found.
struct runtime_kind {
  std::string name;  ///< on the command line
  found_runtimes (*find)(const temporary_directory& workshop, interrupts& interrupts);
};

/// In the order in which tables show them.
const std::vector<runtime_kind>& all_runtime_kinds();

}  // namespace conch::lab
