// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace conch::bench {

/// Text in columns as wide as their cells: the first is flush left, the others flush right. A title
/// may have two lines.
class text_table {
public:
  explicit text_table(const std::vector<std::string>& titles);

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  /// Whether it has nothing but titles.
  [[nodiscard]] bool empty() const noexcept { return rows_.size() == 2; }
  [[nodiscard]] std::string text() const;

private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace conch::bench
