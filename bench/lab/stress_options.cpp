// SPDX-License-Identifier: MIT
#include "stress_options.hpp"

#include "option_values.hpp"

#include <fmt/format.h>

namespace conch::lab {

namespace {

constexpr unsigned most_hogs = 256;
constexpr unsigned widest_spacing = 1'000'000;

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

}  // namespace

stress_options checked(const typed_stress_options& typed) {
  stress_options options;
  options.locks = chosen_locks(typed.locks);
  options.spacings =
      whole_numbers("--spacing", typed.spacing.value_or("1"), ':', 1, widest_spacing);
  options.hogs = chosen_hogs(typed, options.spacings.size());
  options.echo = !typed.no_echo;
  options.closing_table = options.echo && !typed.spacing;
  options.time_per_run = run_time("--seconds", typed.seconds);
  if (typed.json) options.json = *typed.json;
  return options;
}

std::string names_of_all_locks() {
  std::string names;
  for (const auto& lock : all_locks()) names += (names.empty() ? "" : ", ") + lock.name;
  return names;
}

}  // namespace conch::lab
