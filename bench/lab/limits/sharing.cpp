// SPDX-License-Identifier: MIT

// How well threads of different kinds get on with each other on all CPUs.

#include "../../common/machine.hpp"
#include "../../common/statistics.hpp"
#include "trials.hpp"

#include <algorithm>

namespace conch::lab {

namespace {

constexpr const char* requests = "requests/s ÷ 0 hogs beside a CPU burner without the lock";
constexpr const char* in_use = "hog work ÷ one hog with no lock, + the echo's share of the time";
constexpr const char* hog_work = "hog work beside the echo ÷ one hog with no lock";
constexpr const char* hogs_alone = "work of hogs alone ÷ one hog with no lock";
constexpr const char* jain = "Jain's index over hold time";

/// Client and server keep one CPU awake between them, and burners the others, or the first if they are bound.
run_plan echo_beside_burners(bool bound = false) {
  return {.burners = bound ? 1 : std::max(usable_cpus(), 2U) - 1, .bound = bound};
}

/// With threads where the system puts them, or all that compute on one CPU and all others elsewhere: of the
/// latter nothing is asked, it shows what the system has to do with the former.
figures measure_echo(workbench& bench, bool bound) {
  const auto must_be = [&](double least) { return bound ? lab::bound{} : at_least(least); };
  const std::string with = bound ? ", threads bound" : "";
  const auto alone = bench.work_without_lock();
  const auto awake = bench.run(echo_beside_burners(bound));
  figures use, work;
  figures all;
  for (const unsigned hogs : {1U, 2U, 4U, 8U}) {
    const auto seen = bench.run({.hogs = hogs, .bound = bound});
    const auto where = "beside " + count_of(hogs, "hog") + with;
    const auto relative_work = seen.all_hog_work_per_second() / alone;
    all.push_back({requests, where,
                   seen.echo->requests_per_second / awake.echo->requests_per_second, must_be(0.9)});
    use.push_back({in_use, where, relative_work + seen.echo->hold_share, must_be(0.95)});
    work.push_back({hog_work, where, relative_work, must_be(0.8)});
  }
  all.insert(all.end(), use.begin(), use.end());
  all.insert(all.end(), work.begin(), work.end());
  const auto where = "0 hogs beside a burner" + with;
  all.push_back({"requests/s", where, awake.echo->requests_per_second});
  all.push_back({"work of a burner ÷ one hog with no lock", where,
                 awake.burner_work_per_second / awake.plan.burners / alone});
  return all;
}

}  // namespace

figures measure_echo(workbench& bench) { return measure_echo(bench, false); }
figures measure_bound_echo(workbench& bench) {
  if (usable_cpus() < 2)
    return {{requests, "beside hogs, threads bound", {}, {}, "there is one CPU"}};
  return measure_echo(bench, true);
}

figures measure_hogs(workbench& bench) {
  const auto alone = bench.work_without_lock();
  figures all;
  for (const unsigned hogs : {2U, 4U, 8U}) {
    const auto seen = bench.run({.hogs = hogs, .connections = 0});
    all.push_back({hogs_alone, count_of(hogs, "hog"), seen.all_hog_work_per_second() / alone,
                   at_least(0.98)});
  }
  return all;
}

figures measure_fairness(workbench& bench) {
  const auto spaced = bench.run({.hogs = 8,
                                 .spacings = {1, 2, 4, 8, 16, 32, 64, 128},
                                 .connections = 0,
                                 .time = 2 * bench.time()});
  const auto beside_echo = bench.run({.hogs = 4, .time = 2 * bench.time()});
  return {
      {jain, "8 hogs, checkpoints 1:2:…:128 units apart", jain_index(spaced.hog_hold_shares),
       at_least(0.99)},
      {jain, "4 hogs beside the echo", jain_index(beside_echo.hog_hold_shares), at_least(0.99)}};
}

/// A long run: what an adversary gains at first does not count for ever.
figures measure_adversaries(workbench& bench) {
  figures all;
  for (const auto& adversary : all_adversaries()) {
    const auto seen =
        bench.run({.hogs = 3, .connections = 0, .adversary = adversary, .time = 5 * bench.time()});
    all.push_back({"hold time of an adversary ÷ that of one of 3 hogs beside it", adversary.what,
                   seen.adversary_over_hog, at_most(1.1)});
  }
  return all;
}

/// Four times more hogs than CPUs.
figures measure_crowd(workbench& bench) {
  const auto hogs = 4 * usable_cpus();
  const auto alone = bench.work_without_lock();
  const auto awake = bench.run(echo_beside_burners());
  const auto seen = bench.run({.hogs = hogs});
  const auto without_echo = bench.run({.hogs = hogs, .connections = 0});
  const auto where = count_of(hogs, "hog") + ", four for each CPU";
  return {{requests, where, seen.echo->requests_per_second / awake.echo->requests_per_second},
          {hog_work, where, seen.all_hog_work_per_second() / alone},
          {hogs_alone, where, without_echo.all_hog_work_per_second() / alone}};
}

}  // namespace conch::lab
