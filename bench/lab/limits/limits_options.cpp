// SPDX-License-Identifier: MIT
#include "limits_options.hpp"

#include "../option_values.hpp"

namespace conch::lab {

namespace {

constexpr unsigned most_repetitions = 1'000;

}  // namespace

limits_options checked(const typed_limits_options& typed) {
  limits_options options{
      .lock = one_named("--lock", "lock", typed.lock, all_locks()),
      .trials = typed.trials ? those_named("--trials", "trial", *typed.trials, all_trials())
                             : all_trials(),
      .repetitions = whole_number("--repetitions", typed.repetitions, 1, most_repetitions),
      .time_per_run = run_time("--seconds", typed.seconds),
      .json = {}};
  if (typed.json) options.json = *typed.json;
  return options;
}

}  // namespace conch::lab
