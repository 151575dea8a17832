// SPDX-License-Identifier: MIT
#pragma once

#include "../figures.hpp"  // what trials say in words
#include "figure.hpp"
#include "workbench.hpp"

#include <string>
#include <vector>

namespace conch::lab {

// A trial measures figures that share their yardsticks, each once, in one go.

figures measure_echo(workbench& bench);
figures measure_bound_echo(workbench& bench);
figures measure_hogs(workbench& bench);
figures measure_fairness(workbench& bench);
figures measure_adversaries(workbench& bench);
figures measure_connections(workbench& bench);
figures measure_crowd(workbench& bench);
figures measure_one_cpu(workbench& bench);
figures measure_longest_wait(workbench& bench);
figures measure_wakes(workbench& bench);

struct trial {
  std::string name;
  figures (*measure)(workbench& bench);
};

/// All of them, in the order in which they are made and shown.
const std::vector<trial>& all_trials();

}  // namespace conch::lab
