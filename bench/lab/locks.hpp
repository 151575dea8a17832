// SPDX-License-Identifier: MIT
#pragma once

#include "contest.hpp"

#include <memory>
#include <optional>
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

// These are not among them.

/// No lock at all.
const lock_entry& without_lock();

/// The same lock with its wakes counted; nothing where they cannot be.
std::optional<lock_entry> with_counted_wakes(const lock_entry& lock);

}  // namespace conch::lab
