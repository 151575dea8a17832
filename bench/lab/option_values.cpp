// SPDX-License-Identifier: MIT
#include "option_values.hpp"

#include <charconv>
#include <system_error>

namespace conch::lab {

namespace {

constexpr double shortest_run = 0.01;
constexpr double longest_run = 3600;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || rest != end) return std::nullopt;
  return value;
}

}  // namespace

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

unsigned whole_number(std::string_view option, std::string_view text, unsigned least,
                      unsigned most) {
  constexpr char no_separator = '\0';
  return whole_numbers(option, text, no_separator, least, most).front();
}

clock::duration run_time(std::string_view option, std::string_view text) {
  const auto value = number<double>(text);
  // Written so that a NaN is not accepted.
  if (!value || !(*value >= shortest_run && *value <= longest_run))
    throw usage_error(fmt::format("{}: '{}' is not a number from {} to {}", option, text,
                                  shortest_run, longest_run));
  return std::chrono::duration_cast<clock::duration>(seconds(*value));
}

std::optional<json_file> file_to_write(std::string_view option,
                                       const std::optional<std::filesystem::path>& path) {
  if (!path) return std::nullopt;
  try {
    return json_file(*path);
  } catch (const std::runtime_error& error) {
    throw usage_error(fmt::format("{} needs a file that can be written: {}", option, error.what()));
  }
}

}  // namespace conch::lab
