// SPDX-License-Identifier: MIT
#include "statistics.hpp"

#include <algorithm>
#include <numeric>

namespace conch::lab {

double jain_index(const std::vector<double>& shares) {
  const auto sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  const auto squares = std::inner_product(shares.begin(), shares.end(), shares.begin(), 0.0);
  return squares > 0 ? sum * sum / (static_cast<double>(shares.size()) * squares) : 0;
}

double least_over_most(const std::vector<double>& shares) {
  if (shares.empty()) return 0;
  const auto [least, most] = std::minmax_element(shares.begin(), shares.end());
  return *most > 0 ? *least / *most : 0;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::vector<double> shares_of_sum(std::vector<double> parts) {
  const auto sum = std::accumulate(parts.begin(), parts.end(), 0.0);
  if (sum > 0)
    for (auto& part : parts) part /= sum;
  return parts;
}

}  // namespace conch::lab
