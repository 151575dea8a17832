// SPDX-License-Identifier: MIT
#include "trials.hpp"

namespace conch::lab {

const std::vector<trial>& all_trials() {
  static const std::vector<trial> trials{{"echo", measure_echo},
                                         {"bound-echo", measure_bound_echo},
                                         {"hogs", measure_hogs},
                                         {"fairness", measure_fairness},
                                         {"adversaries", measure_adversaries},
                                         {"connections", measure_connections},
                                         {"crowd", measure_crowd},
                                         {"one-cpu", measure_one_cpu},
                                         {"longest-wait", measure_longest_wait},
                                         {"wakes", measure_wakes}};
  return trials;
}

}  // namespace conch::lab
