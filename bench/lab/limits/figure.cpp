// SPDX-License-Identifier: MIT
#include "figure.hpp"

#include "../../common/statistics.hpp"

#include <algorithm>

namespace conch::lab {

double limit::median() const { return lab::median(values); }

void add(std::vector<limit>& limits, const std::string& trial, const figures& measured) {
  for (const auto& figure : measured) {
    auto found = std::find_if(limits.begin(), limits.end(), [&](const auto& limit) {
      return limit.trial == trial && limit.what == figure.what && limit.where == figure.where;
    });
    if (found == limits.end())
      found = limits.insert(
          limits.end(),
          {.trial = trial, .what = figure.what, .where = figure.where, .bound = figure.bound});
    if (figure.value)
      found->values.push_back(*figure.value);
    else
      found->reason = figure.reason;
  }
}

}  // namespace conch::lab
