// SPDX-License-Identifier: MIT

// What an fmq_lock says that it will never exceed: the longest wait, and wakes.

#include "trials.hpp"

#include <conch/fmq/wait_bound.hpp>
#include <conch/fmq_lock.hpp>

namespace conch::lab {

namespace {

double milliseconds(clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

bool is_fmq(const lock_entry& lock) { return lock.name == fmq_lock::traits.name; }

}  // namespace

figures measure_longest_wait(workbench& bench) {
  const auto seen =
      bench.run({.hogs = 8, .connections = 4, .watch_scheduler = true, .time = 5 * bench.time()});
  const auto bound = [&](clock::duration lateness) {
    return fmq::wait_bound({.waiters = seen.plan.contenders() - 1,
                            .gap = seen.longest_gap,
                            .lateness = lateness,
                            .config = {}});
  };
  const auto ratio = [&](clock::duration lateness) {
    return is_fmq(bench.lock())
               ? std::optional(milliseconds(seen.longest_wait) / milliseconds(bound(lateness)))
               : std::nullopt;
  };
  constexpr const char* what = "longest wait ÷ the bound of law 5";
  constexpr const char* why_not = "only fmq_lock has such a bound";
  constexpr const char* where = "8 hogs, 4 connections";
  return {{what, "8 hogs, 4 connections; ω as measured", ratio(seen.scheduler_delay), at_most(1.0),
           why_not},
          {what, "8 hogs, 4 connections; ω = 0", ratio({}), {}, why_not},
          {"longest wait, ms", where, milliseconds(seen.longest_wait)},
          {"σ, the longest time from one checkpoint to the next, ms", where,
           milliseconds(seen.longest_gap)},
          {"ω, the worst lateness of a timer, ms", where, milliseconds(seen.scheduler_delay)}};
}

figures measure_wakes(workbench& bench) {
  constexpr const char* wakes =
      "wakes ÷ (sealed handoffs and calls to a visit + releases that found none outstanding)";
  const auto counted = with_counted_wakes(bench.lock());
  figures all;
  for (const unsigned hogs : {1U, 4U}) {
    const run_plan plan{.hogs = hogs, .connections = hogs};
    std::optional<double> ratio;
    if (counted) {
      const auto seen = bench.run(*counted, plan).wakes.value();
      ratio = static_cast<double>(seen.wakes) / static_cast<double>(seen.handoffs + seen.heirs);
    }
    all.push_back({wakes, count_of(hogs, "hog") + ", " + count_of(hogs, "connection"), ratio,
                   at_most(1.0), "only fmq_lock's wakes can be counted"});
  }
  const auto watched = bench.run({.hogs = 1, .count_futex_calls = true});
  all.push_back({"futex calls ÷ acquisitions", "the echo beside 1 hog",
                 watched.futex_calls_per_acquisition, at_most(0.2),
                 "the system does not let them be counted"});
  return all;
}

}  // namespace conch::lab
