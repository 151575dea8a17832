// SPDX-License-Identifier: MIT
#include "scenarios/scenarios.hpp"
#if !defined(CONCH_SIM_ONLY)
#include "scale/command.hpp"
#endif

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace conch::sim {
namespace {

using real_time = std::chrono::steady_clock;

struct options {
  double seconds = 0;
  std::uint64_t seed = 1;
  double share = 1;
  std::string replay;
  std::string only;
  int preemptions = -1;
  bool list = false;
  bool brief = false;
};

scenarios chosen(const options& given) {
  scenarios all;
#if !defined(CONCH_SIM_ONLY) || CONCH_SIM_ONLY == 1
  add_binary_scenarios(all);
#endif
#if !defined(CONCH_SIM_ONLY) || CONCH_SIM_ONLY == 2
  add_tick_gil_scenarios(all);
#endif
#if !defined(CONCH_SIM_ONLY) || CONCH_SIM_ONLY == 3
  add_timed_gil_scenarios(all);
#endif
#if !defined(CONCH_SIM_ONLY) || CONCH_SIM_ONLY == 4
  add_fmq_scenarios(all);
#endif
#if !defined(CONCH_SIM_ONLY) || CONCH_SIM_ONLY == 5
  add_fmq_law_scenarios(all);
#endif
#if !defined(CONCH_SIM_ONLY) || CONCH_SIM_ONLY == 6
  add_runtime_scenarios(all);
#endif
  std::erase_if(all, [&](const scenario& s) { return s.name.find(given.only) == s.name.npos; });
  return all;
}

double seconds_since(real_time::time_point begin) {
  return std::chrono::duration<double>(real_time::now() - begin).count();
}

void print(const scenario& what, const report& done, double seconds, bool brief) {
  if (done.found && brief)
    std::printf("FOUND|%s|%llu|%s|%s\n", what.name.c_str(),
                static_cast<unsigned long long>(done.found->after), done.found->what.c_str(),
                done.found->replay.c_str());
  else if (done.found)
    std::printf("\n%s", describe(what, *done.found).c_str());
  else if (!brief)
    std::printf("%-34s %9llu schedules %11llu steps %7.2f s\n", what.name.c_str(),
                static_cast<unsigned long long>(done.schedules),
                static_cast<unsigned long long>(done.steps), seconds);
  std::fflush(stdout);
}

int summary(std::uint64_t schedules, std::uint64_t steps, double seconds, int failures,
            bool brief) {
  if (brief)
    std::printf("TOTAL|%llu|%d\n", static_cast<unsigned long long>(schedules), failures);
  else
    std::printf("%llu schedules, %llu steps, %.1f s: %s\n",
                static_cast<unsigned long long>(schedules), static_cast<unsigned long long>(steps),
                seconds, failures == 0 ? "none failed" : "FAILED");
  return failures == 0 ? 0 : 1;
}

/// Every scenario's share once.
int suite(const options& given) {
  std::uint64_t schedules = 0;
  std::uint64_t steps = 0;
  int failures = 0;
  const auto begin = real_time::now();
  for (auto& what : chosen(given)) {
    const auto start = real_time::now();
    what.random =
        static_cast<std::uint64_t>(std::ceil(static_cast<double>(what.random) * given.share));
    auto most = static_cast<std::uint64_t>(200'000 * given.share);
    if (given.preemptions >= 0) {
      what.random = 0;
      what.exhaustive.clear();
      for (unsigned n = 0; n <= static_cast<unsigned>(given.preemptions); ++n)
        what.exhaustive.push_back({.preemptions = n, .old_values = std::min(n, 1U), .faults = 0});
      most = ~std::uint64_t{0};
    }
    const auto done = check(what, given.seed, most);
    print(what, done, seconds_since(start), given.brief);
    schedules += done.schedules;
    steps += done.steps;
    failures += done.found ? 1 : 0;
    if (done.found && given.brief) break;
  }
  return summary(schedules, steps, seconds_since(begin), failures, given.brief);
}

/// Random schedules, turn by turn, until the time is up.
int search(const options& given) {
  auto all = chosen(given);
  std::uint64_t schedules = 0;
  std::uint64_t steps = 0;
  int failures = 0;
  const auto begin = real_time::now();
  for (std::uint64_t turn = 0; seconds_since(begin) < given.seconds && !all.empty(); ++turn)
    for (std::size_t i = 0; i < all.size() && seconds_since(begin) < given.seconds;) {
      const auto start = real_time::now();
      const auto done = roam(all[i], given.seed + turn, ~std::uint64_t{0},
                             start + std::chrono::milliseconds(500));
      schedules += done.schedules;
      steps += done.steps;
      if (!done.found) {
        ++i;
        continue;
      }
      print(all[i], done, seconds_since(start), given.brief);
      ++failures;
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(i));  // one failure each is enough
    }
  return summary(schedules, steps, seconds_since(begin), failures, given.brief);
}

int again(const options& given) {
  const auto at = given.replay.find('@');
  if (at == std::string::npos) throw std::invalid_argument("not SCENARIO@CHOICES");
  for (const auto& what : chosen(given)) {
    if (what.name != given.replay.substr(0, at)) continue;
    const auto end = replay(what, given.replay.substr(at + 1));
    std::printf("%s\n%s\n", end.trace.c_str(), end.failure.value_or("no failure").c_str());
    return end.failure ? 1 : 0;
  }
  throw std::invalid_argument("no such scenario");
}

int start(const options& given) {
  if (given.list) {
    for (const auto& what : chosen(given)) std::printf("%s\n", what.name.c_str());
    return 0;
  }
  if (!given.replay.empty()) return again(given);
  return given.seconds > 0 ? search(given) : suite(given);
}

int run_command(int count, char** arguments) {
  CLI::App app{"Runs conch's locks under every schedule that it can find."};
  options given;
  app.add_option("--seconds", given.seconds, "go on searching for so long, at random");
  app.add_option("--seed", given.seed, "of the random schedules");
  app.add_option("--share", given.share, "of the suite's schedules; 1 is all of them");
  app.add_option("--preemptions", given.preemptions,
                 "every schedule with 0, 1, … so many preemptions, instead of the suite");
  app.add_option("--only", given.only, "scenarios whose name has this in it");
  app.add_option("--replay", given.replay, "one schedule again, with its trace: SCENARIO@CHOICES");
  app.add_flag_callback(
      "--silent-parker", [] { conch::sim::sim_platform::parker::publishes = false; },
      "a fault on purpose: an unpark orders nothing");
  app.add_flag_callback(
      "--no-retry", [] { conch::sim::sim_platform::semaphore::retries = false; },
      "a fault on purpose: a signal ends the wait for a semaphore");
  app.add_flag("--list", given.list, "the scenarios' names");
  app.add_flag("--brief", given.brief, "for programs to read; stops at the first failure");
#if !defined(CONCH_SIM_ONLY)
  int status = 0;
  scale::add_command(app, status);
#endif
  CLI11_PARSE(app, count, arguments);
#if !defined(CONCH_SIM_ONLY)
  if (app.got_subcommand("scale")) return status;
#endif
  return start(given);
}

}  // namespace
}  // namespace conch::sim

int main(int count, char** arguments) {
  try {
    return conch::sim::run_command(count, arguments);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "conch-sim: %s\n", e.what());
  } catch (...) {
    std::fputs("conch-sim: failed\n", stderr);
  }
  return 2;
}
