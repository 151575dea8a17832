// SPDX-License-Identifier: MIT
#include "command.hpp"

#include "stress.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace conch::sim::scale {

namespace {

struct options {
  std::vector<std::string> locks{"timed_gil", "fmq_lock"};
  std::vector<unsigned> cores{1, 2, 8, 64};
  std::vector<unsigned> hogs{0, 1, 8, 64, 256, 1000};
  double seconds = 2;
  double more_per_hog = 0.01;
  double work = 0.3;
  double patience = 20;
  std::uint64_t seed = 1;
};

constexpr const char* label = "model: simulated machine, not a measurement";

duration seconds_of(double seconds) {
  return std::chrono::duration_cast<duration>(std::chrono::duration<double>(seconds));
}

std::string words_for(duration time) {
  std::string text(32, '\0');
  const auto ns = static_cast<double>(time.count());
  int size = 0;
  if (ns < 1e6)
    size = std::snprintf(text.data(), text.size(), "%.3g us", ns / 1e3);
  else
    size = std::snprintf(text.data(), text.size(), "%.0f ms", ns / 1e6);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

void show_progress(const stress_plan& plan, std::size_t done, std::size_t all) {
  if (::isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r\033[Krun %zu of %zu: %s, %u core(s), %u hog(s)", done + 1, all,
               plan.lock.c_str(), plan.cores, plan.hogs);
}

void clear_progress() {
  if (::isatty(STDERR_FILENO) != 0) std::fputs("\r\033[K", stderr);
}

/// The requests per second of the same lock and machine without hogs.
struct alone {
  std::string lock;
  unsigned cores = 0;
  double requests_per_second = 0;
};

std::string convoy_factor(const std::optional<alone>& baseline, const stress_plan& plan,
                          const stress_result& result) {
  if (!baseline || baseline->lock != plan.lock || baseline->cores != plan.cores) return "-";
  if (result.requests_per_second <= 0) return "starved";
  std::string text(32, '\0');
  const auto factor = baseline->requests_per_second / result.requests_per_second;
  const auto size = std::snprintf(text.data(), text.size(), factor < 100 ? "%.2f" : "%.0f", factor);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

/// False if the lock failed.
bool print_row(const stress_plan& plan, const stress_result& result,
               const std::optional<alone>& baseline) {
  std::printf("%-13s %5u %5u ", plan.lock.c_str(), plan.cores, plan.hogs);
  const bool hangs = result.ending == computer::ending::stuck;
  if (hangs || !result.exclusive) {
    std::printf("FAILED: %s\n", hangs ? "threads wait for ever" : "two threads held the lock");
    return false;
  }
  if (result.ending == computer::ending::abandoned) {
    std::printf("skipped: takes too long to simulate\n");
    return true;
  }
  const auto longest = (result.still_waits ? "> " : "") + words_for(result.longest_wait);
  std::printf(result.requests_per_second < 100 ? "%10.1f" : "%10.0f", result.requests_per_second);
  std::printf(" %8s %9.1f%% %10s %10s ", convoy_factor(baseline, plan, result).c_str(),
              100 * result.hog_share, words_for(result.p99_wait).c_str(), longest.c_str());
  if (plan.hogs != 0 && std::isfinite(result.wakes_per_handoff))
    std::printf("%8.2f\n", result.wakes_per_handoff);
  else
    std::printf("%8s\n", "-");
  return true;
}

void print_head(const options& given) {
  std::printf("%s\n", label);
  std::printf(
      "%.3g s of simulated time each and %.3g ms more for each hog, after as long a\n"
      "start; a hog's checkpoints are %.3g us of work apart; waits are the echo thread's\n\n",
      given.seconds, 1e3 * given.more_per_hog, given.work);
  std::printf("%-13s %5s %5s %10s %8s %10s %10s %10s %8s\n", "lock", "cores", "hogs", "requests/s",
              "convoy", "hog share", "p99 wait", "longest", "wakes/");
  std::printf("%-13s %5s %5s %10s %8s %10s %10s %10s %8s\n", "", "", "", "", "factor", "of time",
              "", "wait", "handoff");
}

int run_all(const options& given) {
  print_head(given);
  const auto all = given.locks.size() * given.cores.size() * given.hogs.size();
  std::size_t done = 0;
  bool good = true;
  std::optional<alone> baseline;
  for (const auto& lock : given.locks)
    for (const auto cores : given.cores)
      for (const auto hogs : given.hogs) {
        const auto time = seconds_of(given.seconds + given.more_per_hog * hogs);
        const stress_plan plan{.lock = lock,
                               .cores = cores,
                               .hogs = hogs,
                               .work = seconds_of(given.work * 1e-6),
                               .warm_up = time,
                               .time = time,
                               .seed = given.seed};
        show_progress(plan, done++, all);
        const auto result =
            run_stress(plan, std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                 std::chrono::duration<double>(given.patience)));
        clear_progress();
        if (hogs == 0 && result.requests_per_second > 0)
          baseline = {lock, cores, result.requests_per_second};
        good = print_row(plan, result, baseline) && good;
        std::fflush(stdout);
      }
  return good ? 0 : 1;
}

}  // namespace

void add_command(CLI::App& app, int& status) {
  const auto given = std::make_shared<options>();
  auto* command = app.add_subcommand(
      "scale", "The stress scenario on simulated machines of many cores. A model, no measurement.");
  command->add_option("--locks", given->locks, "timed_gil, fmq_lock, tick_gil, pthread_lock")
      ->delimiter(',')
      ->check(CLI::IsMember({"timed_gil", "fmq_lock", "tick_gil", "pthread_lock"}));
  command->add_option("--cores", given->cores, "of each machine")
      ->delimiter(',')
      ->check(CLI::Range(1, static_cast<int>(computer::most_cores)));
  command->add_option("--hogs", given->hogs, "busy threads; 0 first, for the convoy factor")
      ->delimiter(',')
      ->check(CLI::Range(0, 10'000));
  command->add_option("--seconds", given->seconds, "of simulated time for each run")
      ->check(CLI::Range(0.001, 1e4));
  command
      ->add_option("--more-per-hog", given->more_per_hog,
                   "seconds of simulated time on top, so that each hog has turns")
      ->check(CLI::Range(0.0, 10.0));
  command->add_option("--work", given->work, "of a hog between two checkpoints, in microseconds")
      ->check(CLI::Range(0.1, 1e6));
  command->add_option("--patience", given->patience, "real seconds after which a run is skipped");
  command->add_option("--seed", given->seed, "of the costs that vary");
  command->callback([given, &status] { status = run_all(*given); });
}

}  // namespace conch::sim::scale
