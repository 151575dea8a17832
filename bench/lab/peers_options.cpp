// SPDX-License-Identifier: MIT
#include "peers_options.hpp"

#include "option_values.hpp"

#include <fmt/format.h>

namespace conch::lab {

namespace {

constexpr unsigned most_peer_hogs = 64;

std::vector<lock_entry> chosen_locks(const std::string& typed) {
  if (typed == "none") return {};
  return those_named("--locks", "lock", typed, all_locks(), ", none");
}

void add_runtimes_named(const std::string& name, std::vector<wanted_runtimes>& runtimes) {
  for (auto& wanted : runtimes) {
    if (!name.starts_with(wanted.kind.name)) continue;
    const auto version = name.substr(wanted.kind.name.size());
    if (version.find_first_not_of("0123456789.") != std::string::npos) continue;
    wanted.versions.push_back(version);
    return;
  }
  throw usage_error(fmt::format(
      "--runtimes: there is no runtime '{}'; there are {}, each with or without a version as in "
      "python3.11, and none",
      name, names_of(all_runtime_kinds())));
}

std::vector<wanted_runtimes> chosen_runtimes(const std::optional<std::string>& typed) {
  std::vector<wanted_runtimes> runtimes;
  if (typed == "none") return runtimes;
  const std::vector<std::string> every_version{""};
  for (const auto& kind : all_runtime_kinds())
    runtimes.push_back({kind, typed ? std::vector<std::string>{} : every_version});
  if (!typed) return runtimes;
  const auto names = split(*typed, ',');
  for (const auto& name : names) add_runtimes_named(name, runtimes);
  forbid_repetition("--runtimes", names);
  std::erase_if(runtimes, [](const wanted_runtimes& wanted) { return wanted.versions.empty(); });
  return runtimes;
}

std::vector<unsigned> chosen_hogs(const std::optional<std::string>& typed) {
  if (!typed) return {0, 1, 2, 4};
  auto hogs = whole_numbers("--hogs", *typed, ',', 0, most_peer_hogs);
  forbid_repetition("--hogs", hogs);
  return hogs;
}

}  // namespace

peers_options checked(const typed_peers_options& typed) {
  peers_options options;
  options.locks = chosen_locks(typed.locks.value_or(usual_peer_locks));
  options.runtimes = chosen_runtimes(typed.runtimes);
  options.hogs = chosen_hogs(typed.hogs);
  options.time_per_run = run_time("--seconds", typed.seconds);
  if (typed.json) options.json = *typed.json;
  if (options.locks.empty() && options.runtimes.empty())
    throw usage_error("--locks and --runtimes cannot both be none");
  return options;
}

}  // namespace conch::lab
