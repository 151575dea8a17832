// SPDX-License-Identifier: MIT

// On a single CPU nobody spins, and whoever is woken needs the CPU of the one who woke it.

#include "trials.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <utility>

namespace conch::lab {

namespace {

constexpr const char* yardstick = "timed_gil";

/// What conch-lab stress measures on one CPU, as JSON. Locks look once at how many CPUs there are,
/// and so it is another process.
nlohmann::json stress_on_one_cpu(workbench& bench, const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"stress",
                               "--cpus",
                               "1",
                               "--spacing",
                               "1",
                               "--seconds",
                               fmt::format("{}", seconds(2 * bench.time()).count())};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return bench.run_anew(all);
}

/// A figure of the run of that lock with so many hogs.
double number(const nlohmann::json& results, const std::string& lock, unsigned hogs,
              const char* name) {
  for (const auto& run : results.at("runs"))
    if (run.at("lock") == lock && run.at("hogs") == hogs) return run.at(name).get<double>();
  throw std::runtime_error(
      fmt::format("conch-lab stress has no run of {} with {} hogs", lock, hogs));
}

}  // namespace

figures measure_one_cpu(workbench& bench) {
  const auto& lock = bench.lock().name;
  std::vector<std::string> locks{lock};
  if (lock != yardstick) locks.emplace_back(yardstick);
  const auto beside_echo = stress_on_one_cpu(
      bench, {"--locks", fmt::format("{}", fmt::join(locks, ",")), "--hogs", "0,2,4"});
  const auto alone = stress_on_one_cpu(bench, {"--locks", lock, "--hogs", "2,4,8", "--no-echo"});
  figures all;
  const auto rate = [&](const std::string& of, unsigned hogs) {
    return number(beside_echo, of, hogs, "requests_per_second");
  };
  for (const auto& [hogs, bound] : {std::pair(2U, at_least(5)), std::pair(4U, at_least(50))})
    all.push_back({"one CPU: requests/s ÷ timed_gil's", "beside " + count_of(hogs, "hog"),
                   rate(lock, hogs) / rate(yardstick, hogs), bound});
  for (const unsigned hogs : {2U, 4U, 8U})
    all.push_back({"one CPU: work of hogs alone ÷ one hog with no lock", count_of(hogs, "hog"),
                   number(alone, lock, hogs, "hog_work_relative"), at_least(0.98)});
  for (const unsigned hogs : {0U, 2U, 4U})
    for (const auto& name : locks)
      all.push_back({"one CPU: requests/s",
                     fmt::format("{} beside {}", name, count_of(hogs, "hog")), rate(name, hogs)});
  return all;
}

}  // namespace conch::lab
