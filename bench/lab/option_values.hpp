// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "json_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace conch::lab {

/// Something that the user asked for and that cannot be; what() says what is allowed.
class usage_error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

std::vector<std::string> split(std::string_view text, char separator);

// What was typed for an option, as what it stands for. All of these throw usage_error.

std::vector<unsigned> whole_numbers(std::string_view option, std::string_view text, char separator,
                                    unsigned least, unsigned most);

unsigned whole_number(std::string_view option, std::string_view text, unsigned least,
                      unsigned most);

/// How long one run takes, in seconds.
clock::duration run_time(std::string_view option, std::string_view text);

/// A file that can be written; nothing if none was named.
std::optional<json_file> file_to_write(std::string_view option,
                                       const std::optional<std::filesystem::path>& path);

template <class T>
void forbid_repetition(std::string_view option, std::vector<T> values) {
  std::sort(values.begin(), values.end());
  const auto twice = std::adjacent_find(values.begin(), values.end());
  if (twice != values.end())
    throw usage_error(
        fmt::format("{}: each may be named once, and '{}' is named twice", option, *twice));
}

}  // namespace conch::lab
