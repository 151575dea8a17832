// SPDX-License-Identifier: MIT
#include "matrix_reporter.hpp"

#include "figures.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <utility>

namespace conch::bench {

namespace {

using run = benchmark::BenchmarkReporter::Run;

bool was_interrupted(const run& one) {
  return one.error_occurred && one.error_message == interrupted_error;
}

std::string about(std::chrono::duration<double> time) {
  if (time < std::chrono::seconds(90)) return fmt::format("{:.0f} s", std::ceil(time.count()));
  return fmt::format("{:.0f} min", std::ceil(time.count() / 60));
}

}  // namespace

matrix_reporter::matrix_reporter(std::vector<planned_benchmark> planned)
    : planned_(std::move(planned)) {
  for (const auto& benchmark : planned_) planned_time_ += benchmark.time;
}

bool matrix_reporter::ReportContext(const Context&) {
  start_ = clock::now();
  show_progress();
  return true;
}

void matrix_reporter::ReportRuns(const std::vector<Run>& runs) {
  for (const auto& one : runs) remember(one);
  if (done_ < planned_.size()) planned_time_done_ += planned_[done_++].time;
  if (runs.empty() || !was_interrupted(runs.front())) show_progress();
}

void matrix_reporter::remember(const Run& one) {
  if (one.run_type != Run::RT_Iteration || was_interrupted(one)) return;
  const auto& name = one.run_name.function_name;
  if (one.error_occurred) {
    progress_.clear();
    fmt::print(stderr, "conch-bench: {}: {}\n", name, one.error_message);
    failed_ = true;
    return;
  }
  const auto parsed = benchmark_name::parse(name);
  // What one thread does alone is measured in its CPU time, whatever else the machine does.
  const bool by_hand = !one.run_name.time_type.empty();
  const auto time = by_hand ? one.GetAdjustedRealTime() : one.GetAdjustedCPUTime();
  measured_.add(parsed, figure::time, time / benchmark::GetTimeUnitMultiplier(one.time_unit));
  for (const auto& [figure, counter] : one.counters) measured_.add(parsed, figure, counter.value);
}

void matrix_reporter::show_progress() {
  if (done_ == planned_.size()) return;
  const auto& next = planned_[done_].name;
  // The plan says how long each takes beside the others; the clock, how long all of it does.
  const auto share_left = (planned_time_ - planned_time_done_) / planned_time_;
  const auto passed = std::chrono::duration<double>(clock::now() - start_);
  const auto left = done_ == 0 ? planned_time_ : passed * share_left / (1 - share_left);
  const auto& now = progress_.visible() ? next : benchmark_name::parse(next).row;
  const auto line = fmt::format("{} of {}, {} to go: {}", done_, planned_.size(), about(left), now);
  if (progress_.visible())
    progress_.show(line);
  else if (done_ == 0 || benchmark_name::parse(planned_[done_ - 1].name).row != now)
    fmt::print(stderr, "conch-bench: {}\n", line);
}

void matrix_json::ReportRuns(const std::vector<Run>& runs) {
  std::vector<Run> kept;
  for (auto one : runs) {
    if (was_interrupted(one)) continue;
    one.run_name.iterations.clear();  // how it was measured is the same for all of a kind
    one.run_name.min_time.clear();
    one.run_name.time_type.clear();
    kept.push_back(std::move(one));
  }
  if (!kept.empty()) JSONReporter::ReportRuns(kept);
}

}  // namespace conch::bench
