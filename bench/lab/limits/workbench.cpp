// SPDX-License-Identifier: MIT
#include "workbench.hpp"

#include "own_program.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace conch::lab {

workbench::workbench(lock_entry lock, clock::duration time, interrupts& interrupts,
                     std::function<void()> on_run)
    : lock_(std::move(lock)),
      time_(time),
      interrupts_(interrupts),
      on_run_(std::move(on_run)),
      unit_(calibrate_work()) {}

run_result workbench::run(const lock_entry& lock, run_plan plan) {
  on_run_();
  plan.unit = unit_;
  if (plan.time == clock::duration::zero()) plan.time = time_;
  auto result = lab::run(lock, plan, interrupts_, {});
  if (!result) throw interruption();
  if (!result->failures.empty())
    throw lock_failure(fmt::format("{}: {}", lock.name, fmt::join(result->failures, "; ")));
  cpus_used_by_others_ = std::max(cpus_used_by_others_, result->cpus_used_by_others);
  return std::move(*result);
}

nlohmann::json workbench::run_anew(const std::vector<std::string>& arguments) {
  on_run_();
  auto results = run_own_program(arguments, interrupts_);
  if (!results) throw interruption();
  return std::move(*results);
}

double workbench::work_without_lock() {
  return run(without_lock(), {.hogs = 1, .connections = 0}).all_hog_work_per_second();
}

}  // namespace conch::lab
