// SPDX-License-Identifier: MIT
#include "results.hpp"

#include "../common/statistics.hpp"

#include <algorithm>

namespace conch::bench {

benchmark_name benchmark_name::parse(const std::string& name) {
  const auto slash = name.rfind('/');
  return {.row = name.substr(0, slash), .lock = name.substr(slash + 1)};
}

void results::add(const benchmark_name& name, const std::string& figure, double value) {
  if (std::find(rows_.begin(), rows_.end(), name.row) == rows_.end()) rows_.push_back(name.row);
  values_[{name.row, name.lock}][figure].push_back(value);
}

std::optional<double> results::median(const std::string& row, const std::string& lock,
                                      const std::string& figure) const {
  const auto found = values_.find({row, lock});
  if (found == values_.end()) return std::nullopt;
  const auto values = found->second.find(figure);
  if (values == found->second.end()) return std::nullopt;
  return lab::median(values->second);
}

std::optional<double> results::quotient(const std::string& row, const std::string& dividend,
                                        const std::string& divisor,
                                        const std::string& figure) const {
  const auto above = median(row, dividend, figure);
  const auto below = median(row, divisor, figure);
  if (!above || !below || *below == 0) return std::nullopt;
  return *above / *below;
}

std::optional<double> results::greatest(const std::string& row, const std::string& figure) const {
  std::optional<double> most;
  for (const auto& [name, figures] : values_) {
    const auto value = name.first == row ? median(row, name.second, figure) : std::nullopt;
    if (value) most = std::max(most.value_or(*value), *value);
  }
  return most;
}

bool results::has_lock(const std::string& lock) const {
  return std::any_of(values_.begin(), values_.end(),
                     [&](const auto& entry) { return entry.first.second == lock; });
}

}  // namespace conch::bench
