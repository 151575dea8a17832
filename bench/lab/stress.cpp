// SPDX-License-Identifier: MIT
#include "stress.hpp"

#include "../common/terminal.hpp"
#include "cpus.hpp"
#include "option_values.hpp"
#include "report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <limits>

namespace conch::lab {

namespace {

/// The runs of one invocation, and what became of them.
class stress_session {
public:
  explicit stress_session(const stress_options& options) : options_(options) {
    results_.context = look_around();
    results_.workload = options.workload.name;
    results_.time_per_run = options.time_per_run;
    runs_to_do_ =
        1 + options.locks.size() * (options.hogs.size() + (options.closing_table ? 1 : 0));
  }

  const stress_results& measure() {
    print(header(results_));
    if (measure_baseline() && measure_main_table() && options_.closing_table)
      measure_closing_table();
    return results_;
  }

  [[nodiscard]] bool interrupted() { return interrupts_.pending(); }
  [[nodiscard]] std::string progress() const {
    return fmt::format("{} of {} runs", runs_done_, runs_to_do_);
  }

private:
  // All that return bool return false if nothing more is to be measured.

  bool measure_baseline() {
    unit_ = options_.workload.calibrate();
    const auto result =
        measure_one(options_.workload.without_lock,
                    {.hogs = 1, .connections = 0, .time = options_.time_per_run, .unit = unit_});
    if (!result) return false;
    results_.baseline_hog_work_per_second = result->all_hog_work_per_second();
    if (results_.baseline_hog_work_per_second > 0)
      unit_.time = std::chrono::seconds(1) / results_.baseline_hog_work_per_second;
    print(
        fmt::format("{} s for each run; one hog alone, without a lock: {:.0f} units of work/s, "
                    "others {:.2f}\n\n",
                    std::chrono::duration_cast<seconds>(options_.time_per_run).count(),
                    results_.baseline_hog_work_per_second, result->cpus_used_by_others));
    return true;
  }

  bool measure_main_table() {
    print(options_.connections != 0 ? column_titles()
                                    : hogs_alone_titles(plan(0, options_.spacings, 0)));
    for (const auto& lock : options_.locks) {
      const bool more = measure_lock(lock);
      if (options_.connections != 0) print(convoy_line(results_, lock.name) + "\n");
      if (!more) return false;
    }
    return true;
  }

  bool measure_lock(const lock_entry& lock) {
    for (const auto hogs : options_.hogs) {
      const auto result = measure_one(lock, plan(hogs, options_.spacings, options_.connections));
      if (!keep(result, results_.runs)) return false;
    }
    return true;
  }

  bool measure_closing_table() {
    const auto spaced = plan(4, {1, 2, 4, 8}, 0);
    print(hogs_alone_titles(spaced));
    for (const auto& lock : options_.locks)
      if (!keep(measure_one(lock, spaced), results_.closing_runs)) return false;
    return true;
  }

  bool keep(const std::optional<run_result>& result, std::vector<run_result>& runs) {
    if (!result) return false;
    runs.push_back(*result);
    // Nothing was measured of a lock that hung, and nothing can be any more: its threads remain.
    if (!result->hung)
      print(result->plan.connections != 0 ? row(results_, *result)
                                          : hogs_alone_row(results_, *result));
    print(detail_line(*result));
    print(failure_lines(*result));
    return !result->hung;
  }

  [[nodiscard]] run_plan plan(unsigned hogs, std::vector<unsigned> spacings,
                              unsigned connections) const {
    return {.hogs = hogs,
            .spacings = std::move(spacings),
            .connections = connections,
            .burst = options_.burst,
            .adversary = options_.adversary,
            .burners = options_.burners,
            .bound = options_.bind,
            .time = options_.time_per_run,
            .unit = unit_};
  }

  std::optional<run_result> measure_one(const lock_entry& lock, const run_plan& plan) {
    progress_line line;
    progress_listener listener;
    if (line.visible())
      listener = [&](clock::duration since_start) {
        const auto left = (runs_to_do_ - runs_done_) * options_.time_per_run - since_start;
        line.show(fmt::format("run {} of {}: {}, {} hog(s); {} s left", runs_done_ + 1, runs_to_do_,
                              lock.name, plan.hogs,
                              std::chrono::ceil<std::chrono::seconds>(left).count()));
      };
    auto result = run(lock, plan, interrupts_, listener);
    if (result) ++runs_done_;
    return result;
  }

  const stress_options& options_;
  interrupts interrupts_;
  stress_results results_;
  work_unit unit_;
  std::size_t runs_to_do_ = 0;
  std::size_t runs_done_ = 0;
};

}  // namespace

std::optional<double> stress_results::convoy_factor(const run_result& run) const {
  if (!run.echo) return std::nullopt;
  for (const auto& alone : runs) {
    if (alone.lock != run.lock || alone.plan.hogs != 0 || !alone.echo) continue;
    if (run.echo->requests_per_second > 0)
      return alone.echo->requests_per_second / run.echo->requests_per_second;
    return std::numeric_limits<double>::infinity();
  }
  return std::nullopt;
}

double stress_results::relative_hog_work(const run_result& run) const {
  return run.all_hog_work_per_second() / baseline_hog_work_per_second;
}

std::string stress_results::failures() const {
  std::string lines;
  for (const auto& run : runs) lines += failure_lines(run);
  for (const auto& run : closing_runs) lines += failure_lines(run);
  return lines;
}

int run_stress(const stress_options& options) {
  if (options.cpus) use_only(*options.cpus);
  const auto json = file_to_write("--json", options.json);
  stress_session session(options);
  const auto& results = session.measure();
  if (json && !results.runs.empty()) json->write(to_json(results));

  const auto failures = results.failures();
  if (!failures.empty()) {
    fmt::print(stderr, "conch-lab: there are failures\n{}", failures);
    return 1;
  }
  if (!session.interrupted()) return 0;
  fmt::print(stderr, "conch-lab: interrupted after {}\n", session.progress());
  return interrupted_status;
}

}  // namespace conch::lab
