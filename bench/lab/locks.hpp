// SPDX-License-Identifier: MIT
#pragma once

#include "contest.hpp"

#include <memory>
#include <string>
#include <vector>

namespace conch::lab {

/// A lock that can be measured.
struct lock_entry {
  std::string name;
  std::unique_ptr<contest> (*make_contest)();
};

/// All of them, in the order in which tables show them.
const std::vector<lock_entry>& all_locks();

/// No lock at all, which is not among them.
const lock_entry& without_lock();

}  // namespace conch::lab
