// SPDX-License-Identifier: MIT
#include "stress_options.hpp"

#include "../common/machine.hpp"
#include "echo_client.hpp"
#include "option_values.hpp"

namespace conch::lab {

namespace {

constexpr unsigned most_hogs = 256;
constexpr unsigned widest_spacing = 1'000'000;
constexpr unsigned longest_burst = 1'000;  // milliseconds

std::vector<unsigned> chosen_hogs(const typed_stress_options& typed, std::size_t spacings) {
  if (!typed.hogs && typed.spacing) return {static_cast<unsigned>(spacings)};
  if (!typed.hogs && typed.no_echo) return {1, 2, 4, 8};
  if (!typed.hogs) return {0, 1, 2, 4, 8};
  auto hogs = whole_numbers("--hogs", *typed.hogs, ',', typed.no_echo ? 1 : 0, most_hogs);
  forbid_repetition("--hogs", hogs);
  return hogs;
}

workload chosen_workload(const typed_stress_options& typed) {
  const bool lua = typed.workload == lua_workload_name;
  if (lua && !has_lua)
    throw usage_error("--workload lua: this conch-lab was built where there was no Lua 5.4");
  if (lua && (typed.spacing || typed.adversary || typed.no_echo))
    throw usage_error("--spacing, --adversary and --no-echo are not for --workload lua");
  return one_named("--workload", "workload", typed.workload, all_workloads());
}

unsigned chosen_connections(const typed_stress_options& typed) {
  if (!typed.no_echo) return whole_number("--connections", typed.connections, 1, most_connections);
  const typed_stress_options defaults;
  if (typed.connections != defaults.connections || typed.burst != defaults.burst)
    throw usage_error(
        "--connections and --burst say what the echo server does: not with --no-echo");
  return 0;
}

}  // namespace

stress_options checked(const typed_stress_options& typed) {
  stress_options options;
  options.workload = chosen_workload(typed);
  const auto& locks = options.workload.locks;
  options.locks = typed.locks ? those_named("--locks", "lock", *typed.locks, locks) : locks;
  options.spacings =
      whole_numbers("--spacing", typed.spacing.value_or("1"), ':', 1, widest_spacing);
  options.hogs = chosen_hogs(typed, options.spacings.size());
  options.connections = chosen_connections(typed);
  options.burst = std::chrono::milliseconds(whole_number("--burst", typed.burst, 0, longest_burst));
  if (typed.adversary)
    options.adversary = one_named("--adversary", "adversary", *typed.adversary, all_adversaries());
  options.burners = whole_number("--burners", typed.burners, 0, most_hogs);
  options.closing_table = options.connections != 0 && !typed.spacing && !typed.adversary &&
                          options.workload.name != lua_workload_name;
  options.time_per_run = run_time("--seconds", typed.seconds);
  if (typed.cpus) options.cpus = whole_number("--cpus", *typed.cpus, 1, usable_cpus());
  if (typed.bind && options.cpus.value_or(usable_cpus()) < 2)
    throw usage_error("--bind: there is one CPU, and it takes two to keep hogs from the server's");
  options.bind = typed.bind;
  if (typed.json) options.json = *typed.json;
  return options;
}

}  // namespace conch::lab
