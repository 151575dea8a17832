// SPDX-License-Identifier: MIT
#include "figures.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>

namespace conch::lab {

std::string grouped(double value) {
  auto digits = fmt::format("{:.0f}", value);
  for (auto from_right = digits.size(); from_right > 3; from_right -= 3)
    digits.insert(from_right - 3, 1, ',');
  return digits;
}

std::string grouped(const std::optional<double>& value) {
  return value ? grouped(*value) : std::string(nothing);
}

std::string factor(double value) {
  if (std::isinf(value)) return "∞";
  return value < 10 ? fmt::format("{:.2f}", value) : grouped(value);
}

std::string count_of(unsigned number, std::string_view thing) {
  return fmt::format("{} {}{}", number, thing, number == 1 ? "" : "s");
}

nlohmann::ordered_json finite_or_null(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return *value;
}

nlohmann::ordered_json to_json(const measuring_context& context) {
  return {{"machine", context.machine},   {"cpus", context.cpus},     {"kernel", context.kernel},
          {"compiler", context.compiler}, {"commit", context.commit}, {"date", context.date}};
}

}  // namespace conch::lab
