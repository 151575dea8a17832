// SPDX-License-Identifier: MIT
#include "limits_options.hpp"

#include "../option_values.hpp"
#include "../stress_options.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace conch::lab {

namespace {

constexpr unsigned most_repetitions = 1'000;

trial trial_named(const std::string& name) {
  for (const auto& trial : all_trials())
    if (trial.name == name) return trial;
  throw usage_error(
      fmt::format("--trials: there is no trial '{}'; there are {}", name, names_of_all_trials()));
}

std::vector<trial> chosen_trials(const std::optional<std::string>& typed) {
  if (!typed) return all_trials();
  const auto names = split(*typed, ',');
  std::vector<trial> trials;
  trials.reserve(names.size());
  for (const auto& name : names) trials.push_back(trial_named(name));
  forbid_repetition("--trials", names);
  return trials;
}

}  // namespace

limits_options checked(const typed_limits_options& typed) {
  limits_options options{
      .lock = lock_named("--lock", typed.lock),
      .trials = chosen_trials(typed.trials),
      .repetitions = whole_number("--repetitions", typed.repetitions, 1, most_repetitions),
      .time_per_run = run_time("--seconds", typed.seconds),
      .json = {}};
  if (typed.json) options.json = *typed.json;
  return options;
}

std::string names_of_all_trials() {
  std::string names;
  for (const auto& trial : all_trials()) names += (names.empty() ? "" : ", ") + trial.name;
  return names;
}

}  // namespace conch::lab
