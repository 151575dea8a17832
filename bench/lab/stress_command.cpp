// SPDX-License-Identifier: MIT
#include "experiments.hpp"
#include "option_values.hpp"
#include "report.hpp"
#include "stress.hpp"
#include "stress_options.hpp"

#include <fmt/format.h>

#include <memory>

namespace conch::lab {

namespace {

std::string descriptions_of_all_adversaries() {
  std::string text;
  for (const auto& one : all_adversaries())
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", one.name, one.what);
  return text;
}

std::string descriptions_of_all_workloads() {
  std::string text;
  for (const auto& one : all_workloads())
    text += fmt::format("{}{} ({}{})", text.empty() ? "" : ", ", one.name, one.what,
                        text.empty() ? ", by default" : "");
  return text + (has_lua ? "" : "; lua was not built: there was no Lua 5.4");
}

}  // namespace

experiment stress_experiment(CLI::App& program) {
  auto* const command = program.add_subcommand(
      "stress",
      "An echo server beside CPU-bound threads (hogs), all under one lock, for each lock");
  auto typed = std::make_shared<typed_stress_options>();
  command->add_option("--workload", typed->workload,
                      "What hogs and server are: " + descriptions_of_all_workloads());
  command->add_option("--locks", typed->locks,
                      "The locks, separated by commas; by default all: " + names_of(all_locks()));
  command->add_option("--hogs", typed->hogs,
                      "The numbers of hogs, separated by commas; by default 0,1,2,4,8");
  command->add_option("--seconds", typed->seconds, "How long each run takes; by default 1.5");
  command->add_option("--spacing", typed->spacing,
                      "How many units of work each hog does between two checkpoints, e.g. 1:2:4:8; "
                      "by default 1, and as many hogs as numbers");
  command->add_flag("--no-echo", typed->no_echo, "Measure the hogs alone, without the echo server");
  command->add_option("--connections", typed->connections,
                      "How many connections the echo server has, each with its thread; by default "
                      "1");
  command->add_option("--burst", typed->burst,
                      "How many milliseconds of CPU time under the lock each answer takes; by "
                      "default 0");
  command->add_option("--adversary", typed->adversary,
                      "One more thread, which tries to get more than its share: " +
                          descriptions_of_all_adversaries());
  command->add_option("--burners", typed->burners,
                      "How many threads compute beside it all without the lock, so that CPUs do "
                      "not fall asleep; by default 0");
  command->add_flag(
      "--bind", typed->bind,
      "Keep all that compute to the first CPU, and server and client to the others, so "
      "that nothing depends on where the system puts threads");
  command->add_option("--cpus", typed->cpus, "How many CPUs to use; by default all");
  command->add_option("--json", typed->json, "A file to write the results to as JSON");
  command->footer(
      "All of it takes about a minute. Unless --spacing, --adversary or --no-echo is given, a\n"
      "second table shows four hogs alone whose checkpoints are 1, 2, 4 and 8 units of work "
      "apart:\n"
      "how evenly does the lock share its time?\n"
      "\nColumns:\n" +
      legend() +
      "\nThe exit status is 1 if a lock let two threads in at once, never let one in, or lost a "
      "message,\n2 if the command line is wrong and 130 after Ctrl-C.");
  return {command, [typed] { return run_stress(checked(*typed)); }};
}

}  // namespace conch::lab
