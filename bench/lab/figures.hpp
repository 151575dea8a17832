// SPDX-License-Identifier: MIT
#pragma once

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

}  // namespace conch::lab
