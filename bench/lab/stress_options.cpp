// SPDX-License-Identifier: MIT
#include "stress_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <system_error>

namespace conch::lab {

namespace {

constexpr unsigned most_hogs = 256;
constexpr unsigned widest_spacing = 1'000'000;
constexpr double shortest_run = 0.01;
constexpr double longest_run = 3600;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  return parts;
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

std::vector<unsigned> whole_numbers(std::string_view option, std::string_view text, char separator,
                                    unsigned least, unsigned most) {
  std::vector<unsigned> numbers;
  for (const auto& part : split(text, separator)) {
    const auto value = number<unsigned>(part);
    if (!value || *value < least || *value > most)
      throw usage_error(
          fmt::format("{}: '{}' is not a whole number from {} to {}", option, part, least, most));
    numbers.push_back(*value);
  }
  return numbers;
}

template <class T>
void forbid_repetition(std::string_view option, std::vector<T> values) {
  std::sort(values.begin(), values.end());
  const auto twice = std::adjacent_find(values.begin(), values.end());
  if (twice != values.end())
    throw usage_error(
        fmt::format("{}: each may be named once, and '{}' is named twice", option, *twice));
}

lock_entry lock_named(const std::string& name) {
  for (const auto& lock : all_locks())
    if (lock.name == name) return lock;
  throw usage_error(
      fmt::format("--locks: there is no lock '{}'; there are {}", name, names_of_all_locks()));
}

std::vector<lock_entry> chosen_locks(const std::optional<std::string>& typed) {
  if (!typed) return all_locks();
  const auto names = split(*typed, ',');
  std::vector<lock_entry> locks;
  locks.reserve(names.size());
  for (const auto& name : names) locks.push_back(lock_named(name));
  forbid_repetition("--locks", names);
  return locks;
}

std::vector<unsigned> chosen_hogs(const typed_stress_options& typed, std::size_t spacings) {
  if (!typed.hogs && typed.spacing) return {static_cast<unsigned>(spacings)};
  if (!typed.hogs && typed.no_echo) return {1, 2, 4, 8};
  if (!typed.hogs) return {0, 1, 2, 4, 8};
  auto hogs = whole_numbers("--hogs", *typed.hogs, ',', typed.no_echo ? 1 : 0, most_hogs);
  forbid_repetition("--hogs", hogs);
  return hogs;
}

clock::duration chosen_time(std::string_view typed) {
  const auto value = number<double>(typed);
  // Written so that a NaN is not accepted.
  if (!value || !(*value >= shortest_run && *value <= longest_run))
    throw usage_error(fmt::format("--seconds: '{}' is not a number from {} to {}", typed,
                                  shortest_run, longest_run));
  return std::chrono::duration_cast<clock::duration>(seconds(*value));
}

}  // namespace

stress_options checked(const typed_stress_options& typed) {
  stress_options options;
  options.locks = chosen_locks(typed.locks);
  options.spacings =
      whole_numbers("--spacing", typed.spacing.value_or("1"), ':', 1, widest_spacing);
  options.hogs = chosen_hogs(typed, options.spacings.size());
  options.echo = !typed.no_echo;
  options.closing_table = options.echo && !typed.spacing;
  options.time_per_run = chosen_time(typed.seconds);
  if (typed.json) options.json = *typed.json;
  return options;
}

std::string names_of_all_locks() {
  std::string names;
  for (const auto& lock : all_locks()) names += (names.empty() ? "" : ", ") + lock.name;
  return names;
}

}  // namespace conch::lab
