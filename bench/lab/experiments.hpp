// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>

#include <functional>

namespace conch::lab {

/// One subcommand of conch-lab.
struct experiment {
  CLI::App* command;
  std::function<int()> run;  ///< returns the program's exit status; may throw usage_error
};

// Each adds itself to the program. A new one is a line here, a line in main.cpp and its own files.
experiment stress_experiment(CLI::App& program);
experiment peers_experiment(CLI::App& program);
experiment limits_experiment(CLI::App& program);

}  // namespace conch::lab
