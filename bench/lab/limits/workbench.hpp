// SPDX-License-Identifier: MIT
#pragma once

#include "../run.hpp"

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace conch::lab {

/// Thrown where a run was interrupted.
struct interruption {};

/// Thrown where a lock did what no lock may; what() says what.
class lock_failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Where trials run their plans.
class workbench {
public:
  /// Makes the unit of work. `on_run` is called before each run.
  workbench(lock_entry lock, clock::duration time, interrupts& interrupts,
            std::function<void()> on_run);

  [[nodiscard]] const lock_entry& lock() const noexcept { return lock_; }
  /// How long a run takes unless its plan says so.
  [[nodiscard]] clock::duration time() const noexcept { return time_; }

  // All of these throw interruption, lock_failure and what run() throws.

  run_result run(const run_plan& plan) { return run(lock_, plan); }
  run_result run(const lock_entry& lock, run_plan plan);

  /// The units of work per second of one hog that has the machine for itself, without a lock.
  double work_without_lock();

  /// What conch-lab prints as JSON when it is started anew with these arguments.
  nlohmann::json run_anew(const std::vector<std::string>& arguments);

  /// How many CPUs other programs kept busy, at the worst, during a run.
  [[nodiscard]] double cpus_used_by_others() const noexcept { return cpus_used_by_others_; }

private:
  lock_entry lock_;
  clock::duration time_;
  interrupts& interrupts_;
  std::function<void()> on_run_;
  work_unit unit_;
  double cpus_used_by_others_ = 0;
};

}  // namespace conch::lab
