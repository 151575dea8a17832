// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conch::bench {

/// The name of a benchmark, ROW/LOCK, taken apart.
struct benchmark_name {
  std::string row;
  std::string lock;

  static benchmark_name parse(const std::string& name);
};

/// All that was measured, by row, lock and figure.
class results {
public:
  void add(const benchmark_name& name, const std::string& figure, double value);

  /// The median of what the rounds gave; nothing if it was not measured.
  [[nodiscard]] std::optional<double> median(const std::string& row, const std::string& lock,
                                             const std::string& figure) const;

  /// The quotient of two locks' medians; nothing unless both were measured.
  [[nodiscard]] std::optional<double> quotient(const std::string& row, const std::string& dividend,
                                               const std::string& divisor,
                                               const std::string& figure) const;

  /// The greatest of all locks of a row.
  [[nodiscard]] std::optional<double> greatest(const std::string& row,
                                               const std::string& figure) const;

  /// In the order in which they were first seen.
  [[nodiscard]] const std::vector<std::string>& rows() const noexcept { return rows_; }
  [[nodiscard]] bool has_lock(const std::string& lock) const;

private:
  using cell = std::pair<std::string, std::string>;
  std::vector<std::string> rows_;
  std::map<cell, std::map<std::string, std::vector<double>>> values_;
};

}  // namespace conch::bench
