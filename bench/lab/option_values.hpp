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

/// The names of all, as they may be typed.
template <class Named>
std::string names_of(const std::vector<Named>& all) {
  std::string names;
  for (const auto& one : all) names += (names.empty() ? "" : ", ") + one.name;
  return names;
}

/// The one of that name. If there is none, the error says that there is no such `kind` of thing and
/// what there is, with `besides` at the end.
template <class Named>
Named one_named(std::string_view option, std::string_view kind, std::string_view name,
                const std::vector<Named>& all, std::string_view besides = {}) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.name == name; });
  if (found == all.end())
    throw usage_error(fmt::format("{}: there is no {} '{}'; there are {}{}", option, kind, name,
                                  names_of(all), besides));
  return *found;
}

/// Those whose names are there, separated by commas, each once.
template <class Named>
std::vector<Named> those_named(std::string_view option, std::string_view kind,
                               std::string_view typed, const std::vector<Named>& all,
                               std::string_view besides = {}) {
  const auto names = split(typed, ',');
  std::vector<Named> chosen;
  chosen.reserve(names.size());
  for (const auto& name : names) chosen.push_back(one_named(option, kind, name, all, besides));
  forbid_repetition(option, names);
  return chosen;
}

}  // namespace conch::lab
