// SPDX-License-Identifier: MIT
#pragma once

#include "../common/machine.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace conch::lab {

// Figures as tables and lines of text show them.

inline constexpr std::string_view nothing = "–";

/// 1234567.8 as 1,234,568.
std::string grouped(double value);
std::string grouped(const std::optional<double>& value);

/// A ratio, which may be infinite: two decimals below 10, none above.
std::string factor(double value);

/// "1 hog", "2 hogs".
std::string count_of(unsigned number, std::string_view thing);

// Figures as JSON has them, and where they were measured.

/// JSON has no infinity, and so an infinite value is null, as an unknown one is.
nlohmann::ordered_json finite_or_null(const std::optional<double>& value);

nlohmann::ordered_json to_json(const measuring_context& context);

}  // namespace conch::lab
