// SPDX-License-Identifier: MIT
#pragma once

#include "contest.hpp"
#include "locks.hpp"
#include "run.hpp"
#include "sockets.hpp"
#include "thread_group.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace conch::lab {

/// What the threads of a run use while they run, and abandoned threads for ever.
struct stage {
  stage(const lock_entry& lock, const run_plan& planned);

  run_plan plan;
  std::unique_ptr<lab::contest> contest;
  std::vector<descriptor> connections;
  std::atomic<bool> stop{false};
  std::atomic<bool> futex_calls_escaped{false};  ///< those of a thread cannot be counted

  // What each thread did; to be read when all have ended.
  std::vector<account> hogs;
  std::vector<echo_tally> echoes;
  account adversary;
  std::vector<std::uint64_t> burners;
  clock::duration scheduler_delay{0};

  /// Of all threads that use the lock.
  [[nodiscard]] account total() const;
};

/// Adds the plan's threads. Precondition: there are as many connections as it says.
void add_threads(thread_group& threads, stage& stage);

/// Has all threads end.
void end_parts(stage& stage) noexcept;

}  // namespace conch::lab
