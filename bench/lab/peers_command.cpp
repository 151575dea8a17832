// SPDX-License-Identifier: MIT
#include "experiments.hpp"
#include "option_values.hpp"
#include "peers.hpp"
#include "peers_options.hpp"
#include "peers_report.hpp"

#include <fmt/format.h>

#include <memory>

namespace conch::lab {

experiment peers_experiment(CLI::App& program) {
  auto* const command = program.add_subcommand(
      "peers",
      "The same echo beside hogs on each runtime that is installed, and under conch's locks");
  auto typed = std::make_shared<typed_peers_options>();
  command->add_option("--locks", typed->locks,
                      fmt::format("The locks, separated by commas, or none; by default {}; there "
                                  "are {}",
                                  usual_peer_locks, names_of(all_locks())));
  command->add_option("--runtimes,--runtime", typed->runtimes,
                      fmt::format("The runtimes, separated by commas, each with or without a "
                                  "version as in python3.11, or none; by default all: {}",
                                  names_of(all_runtime_kinds())));
  command->add_option("--hogs", typed->hogs,
                      "The numbers of hogs, separated by commas; by default 0,1,2,4");
  command->add_option("--seconds", typed->seconds, "How long each run takes; by default 2");
  command->add_option("--json", typed->json, "A file to write the results to as JSON");
  command->footer(
      "Runtimes are looked for on PATH and among pyenv's versions, and each version is measured "
      "once.\n"
      "What is not found is named and skipped. A runtime runs in a process of its own, with its "
      "settings\nas they are by default; a lock runs in this process, as under conch-lab stress.\n"
      "\nColumns:\n" +
      legend_of_peers() +
      "\nThe exit status is 1 if a runtime or a lock failed or there is none, 2 if the command "
      "line "
      "is wrong\nand 130 after Ctrl-C.");
  return {command, [typed] { return run_peers(checked(*typed)); }};
}

}  // namespace conch::lab
