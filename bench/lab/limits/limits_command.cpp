// SPDX-License-Identifier: MIT
#include "../experiments.hpp"
#include "../option_values.hpp"
#include "limits.hpp"
#include "limits_options.hpp"

#include <memory>

namespace conch::lab {

experiment limits_experiment(CLI::App& program) {
  auto* const command = program.add_subcommand(
      "limits", "Ratios that fmq_lock must keep to, each measured and compared with its bound");
  auto typed = std::make_shared<typed_limits_options>();
  command->add_option("--lock", typed->lock, "Another lock, to compare; by default fmq_lock");
  command->add_option(
      "--trials", typed->trials,
      "What to measure, separated by commas; by default all: " + names_of(all_trials()));
  command->add_option("--repetitions", typed->repetitions,
                      "How often each is measured; the median counts; by default 3");
  command->add_option("--seconds", typed->seconds,
                      "How long a run takes, some of them up to five times as long; by default 1");
  command->add_option("--json", typed->json, "A file to write the results to as JSON");
  command->footer(
      "All of it takes about four minutes. Each ratio is of runs of the same repetition, one "
      "right\n"
      "after the other; shown are the median of the repetitions, and the least and the most. What\n"
      "has no bound helps to understand what has.\n"
      "\nThe exit status is 1 if a bound is missed or the lock failed, 2 if the command line is\n"
      "wrong and 130 after Ctrl-C, which shows what has been measured by then.");
  return {command, [typed] { return run_limits(checked(*typed)); }};
}

}  // namespace conch::lab
