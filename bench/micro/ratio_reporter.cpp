// SPDX-License-Identifier: MIT
#include "ratio_reporter.hpp"

#include <algorithm>
#include <iomanip>
#include <iterator>

namespace conch::bench {

namespace {

using run_list = std::vector<benchmark::BenchmarkReporter::Run>;

/// The medians if there are any, and otherwise, where nothing was repeated, all.
run_list worth_showing(const run_list& runs) {
  run_list medians;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(medians),
               [](const auto& run) { return run.aggregate_name == "median"; });
  const bool repeated = !runs.empty() && runs.front().repetitions > 1;
  return repeated ? medians : runs;
}

}  // namespace

void ratio_reporter::ReportRuns(const std::vector<Run>& runs) {
  auto shown = worth_showing(runs);
  if (shown.empty()) return;
  for (auto& run : shown) {
    // The CPU time of the thread that only waits for the contenders says nothing.
    if (run.run_name.time_type == "manual_time") run.cpu_accumulated_time = 0;
    run.run_name.iterations.clear();  // how it was measured is the same for all of a kind
    run.run_name.time_type.clear();
    if (!run.error_occurred) remember(run);
  }
  ConsoleReporter::ReportRuns(shown);
}

void ratio_reporter::remember(const Run& run) {
  const auto& name = run.run_name.function_name;
  const auto lock = name.find('/') + 1;
  const auto more = std::min(name.find('/', lock), name.size());
  medians_.push_back({.kind = name.substr(0, lock),
                      .lock = name.substr(lock, more - lock),
                      .more = name.substr(more),
                      .time = run.GetAdjustedRealTime()});
}

void ratio_reporter::Finalize() {
  ConsoleReporter::Finalize();
  auto& out = GetOutputStream();
  out << "\nTime of std::mutex ÷ time of the lock (above 1: faster than std::mutex)\n";
  for (const auto& one : medians_) {
    const auto* const mutex = of_std_mutex(one);
    if (mutex == nullptr) continue;
    out << std::left << std::setw(40) << one.kind + one.lock + one.more << std::right << std::fixed
        << std::setprecision(2) << std::setw(8) << mutex->time / one.time << "\n";
  }
}

const ratio_reporter::median* ratio_reporter::of_std_mutex(const median& other) const {
  const auto found = std::find_if(medians_.begin(), medians_.end(), [&](const median& candidate) {
    return candidate.lock == "std::mutex" && candidate.kind == other.kind &&
           candidate.more == other.more;
  });
  return found == medians_.end() ? nullptr : &*found;
}

}  // namespace conch::bench
