// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

namespace conch::lab {

/// Jain's index of fairness, (Σx)² ÷ (n·Σx²): 1 where all are equal, 1/n where one has everything.
double jain_index(const std::vector<double>& shares);

/// The least ÷ the greatest: 1 where all are equal, 0 where one has nothing.
double least_over_most(const std::vector<double>& shares);

/// Precondition for both: there is a value.
double mean(const std::vector<double>& values);
double median(std::vector<double> values);

/// Each ÷ the sum of all.
std::vector<double> shares_of_sum(std::vector<double> parts);

}  // namespace conch::lab
