// SPDX-License-Identifier: MIT
#include "text_table.hpp"

#include "terminal.hpp"

#include <algorithm>
#include <cstddef>

namespace conch::bench {

using lab::display_width;

text_table::text_table(const std::vector<std::string>& titles) : rows_(2) {
  for (const auto& title : titles) {
    const auto end = title.find('\n');
    const bool two_lines = end != std::string::npos;
    rows_[0].push_back(two_lines ? title.substr(0, end) : "");
    rows_[1].push_back(two_lines ? title.substr(end + 1) : title);
  }
}

std::string text_table::text() const {
  std::vector<std::size_t> widths(rows_[0].size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], display_width(row[i]));
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - display_width(row[i]), ' ');
      line += i == 0 ? row[i] + padding : "  " + padding + row[i];
    }
    line.erase(line.find_last_not_of(' ') + 1);
    if (!line.empty()) text += line + "\n";  // the titles may all have one line only
  }
  return text;
}

}  // namespace conch::bench
