// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// What a figure must reach.
struct bound {
  enum class kind : unsigned char { none, at_least, at_most };

  kind is = kind::none;
  double value = 0;

  [[nodiscard]] constexpr bool met_by(double measured) const noexcept {
    return is == kind::none || (is == kind::at_least ? measured >= value : measured <= value);
  }
};

constexpr bound at_least(double value) { return {bound::kind::at_least, value}; }
constexpr bound at_most(double value) { return {bound::kind::at_most, value}; }

/// One thing that a trial has measured, once.
struct figure {
  std::string what;   ///< e.g. "hog work beside the echo ÷ one hog with no lock"
  std::string where;  ///< under which circumstances, e.g. "2 hogs"
  std::optional<double> value;
  lab::bound bound{};    ///< none where the figure only helps to understand others
  std::string reason{};  ///< why there is no value
};

using figures = std::vector<figure>;

/// One thing that has been measured several times.
struct limit {
  std::string trial;
  std::string what;
  std::string where;
  lab::bound bound;
  std::vector<double> values{};
  std::string reason{};  ///< why there are none

  /// Precondition for both: there are values.
  [[nodiscard]] double median() const;
  [[nodiscard]] bool met() const { return bound.met_by(median()); }

  [[nodiscard]] bool is_missed() const { return !values.empty() && !met(); }
};

/// Adds what a trial has measured to what it has measured before.
void add(std::vector<limit>& limits, const std::string& trial, const figures& measured);

}  // namespace conch::lab
