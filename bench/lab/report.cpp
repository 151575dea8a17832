// SPDX-License-Identifier: MIT
#include "report.hpp"

#include "../common/statistics.hpp"
#include "figures.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <array>
#include <numeric>
#include <string_view>

namespace conch::lab {

namespace {

using json = nlohmann::ordered_json;  // in the order in which it is written here
using microseconds = std::chrono::duration<double, std::micro>;

std::string fraction(double value) { return fmt::format("{:.3f}", value); }

std::string joined(const std::vector<unsigned>& spacings) {
  return fmt::format("{}", fmt::join(spacings, ":"));
}

struct column {
  std::string_view title;
  int width;
};

/// One line; the first cell is flush left, the others flush right.
template <std::size_t Columns>
std::string line(const std::array<column, Columns>& columns,
                 const std::array<std::string, Columns>& cells) {
  auto text = fmt::format("{:<{}}", cells[0], columns[0].width);
  for (std::size_t i = 1; i < Columns; ++i)
    text += fmt::format(" {:>{}}", cells[i], columns[i].width);
  return text + "\n";
}

template <std::size_t Columns>
std::string titles(const std::array<column, Columns>& columns) {
  std::array<std::string, Columns> cells;
  for (std::size_t i = 0; i < Columns; ++i) cells[i] = columns[i].title;
  return line(columns, cells);
}

constexpr std::array<column, 15> stress_columns{{{"lock", 16},
                                                 {"hogs", 4},
                                                 {"requests/s", 10},
                                                 {"p50 µs", 9},
                                                 {"p99 µs", 9},
                                                 {"max µs", 9},
                                                 {"hog work/s", 10},
                                                 {"÷ alone", 7},
                                                 {"Jain", 5},
                                                 {"least÷most", 10},
                                                 {"switches/s", 10},
                                                 {"vain/s", 7},
                                                 {"vol.cs/s", 8},
                                                 {"invol.cs/s", 10},
                                                 {"others", 6}}};

constexpr std::array<column, 12> hogs_alone_columns{{{"lock", 16},
                                                     {"hogs", 4},
                                                     {"hog work/s", 10},
                                                     {"÷ alone", 7},
                                                     {"Jain", 5},
                                                     {"least÷most", 10},
                                                     {"switches/s", 10},
                                                     {"vain/s", 7},
                                                     {"vol.cs/s", 8},
                                                     {"invol.cs/s", 10},
                                                     {"others", 6},
                                                     {"  % of the hold time, hog by hog", 32}}};

/// The cells that say how the hogs did: work, relative work, Jain's index, least ÷ most.
std::array<std::string, 4> hog_cells(const stress_results& results, const run_result& run) {
  if (run.plan.hogs == 0) {
    const std::string none(nothing);
    return {none, none, none, none};
  }
  return {grouped(run.all_hog_work_per_second()), fraction(results.relative_hog_work(run)),
          fraction(jain_index(run.hog_hold_shares)),
          fraction(least_over_most(run.hog_work_per_second))};
}

std::array<std::string, 4> latency_cells(const std::optional<echo_figures>& echo) {
  if (!echo) {
    const std::string none(nothing);
    return {none, none, none, none};
  }
  const auto cell = [](std::chrono::nanoseconds time) {
    return grouped(microseconds(time).count());
  };
  return {grouped(echo->requests_per_second), cell(echo->p50), cell(echo->p99), cell(echo->max)};
}

json latency_to_json(const std::optional<echo_figures>& echo) {
  if (!echo) return nullptr;
  return {{"p50", microseconds(echo->p50).count()},
          {"p99", microseconds(echo->p99).count()},
          {"max", microseconds(echo->max).count()}};
}

json to_json(const stress_results& results, const run_result& run) {
  json object{{"lock", run.lock}, {"hogs", run.plan.hogs}, {"connections", run.plan.connections}};
  object["burst_ms"] = std::chrono::duration<double, std::milli>(run.plan.burst).count();
  object["adversary"] = run.plan.adversary ? json(run.plan.adversary->name) : json(nullptr);
  object["burners"] = run.plan.burners;
  object["bound"] = run.plan.bound;
  object["spacing"] = run.plan.spacings;
  object["requests_per_second"] = run.echo ? json(run.echo->requests_per_second) : json(nullptr);
  object["latency_us"] = latency_to_json(run.echo);
  const bool hogs = run.plan.hogs != 0;
  object["hog_work_per_second"] = run.all_hog_work_per_second();
  object["hog_work_relative"] = results.relative_hog_work(run);
  object["hog_work_least_over_most"] =
      hogs ? json(least_over_most(run.hog_work_per_second)) : json(nullptr);
  object["jain_hold_time"] = hogs ? json(jain_index(run.hog_hold_shares)) : json(nullptr);
  object["hold_time_shares"] = run.hog_hold_shares;
  object["switches_per_second"] = run.switches_per_second;
  object["vain_wakeups_per_second"] = finite_or_null(run.vain_wakeups_per_second);
  object["voluntary_context_switches_per_second"] = run.voluntary_context_switches_per_second;
  object["involuntary_context_switches_per_second"] = run.involuntary_context_switches_per_second;
  object["cpus_used_by_others"] = run.cpus_used_by_others;
  object["echo_hold_share"] = run.echo ? json(run.echo->hold_share) : json(nullptr);
  object["slowest_connection_over_mean"] =
      run.echo ? json(run.echo->slowest_over_mean) : json(nullptr);
  object["adversary_over_hog"] = finite_or_null(run.adversary_over_hog);
  object["longest_wait_us"] = microseconds(run.longest_wait).count();
  object["convoy_factor"] = finite_or_null(results.convoy_factor(run));
  object["failures"] = run.failures;
  return object;
}

json to_json(const stress_results& results, const std::vector<run_result>& runs) {
  auto list = json::array();
  for (const auto& run : runs) list.push_back(to_json(results, run));
  return list;
}

}  // namespace

std::string header(const stress_results& results) {
  return fmt::format("conch-lab stress, {}: {}\n", results.workload, in_words(results.context));
}

std::string legend() {
  return R"(requests/s, p50, p99, max   TCP connections, one by default, that echo 64-byte messages under the lock,
                            and round trips; one unanswered at the end counts if it is the slowest
hog work/s, ÷ alone         units of work (0.3 µs) of all hogs together, and ÷ those of one hog without a lock
Jain, least÷most            fairness among the hogs: Jain's index over their hold time (1: all have the
                            same), the least ÷ the most work that one of them did
switches/s                  how often another thread than the last holder got the lock
vain/s                      how often a thread was woken and found the lock taken (–: the lock cannot tell)
vol.cs/s, invol.cs/s        context switches of the process with the lock
others                      how many CPUs other programs kept busy meanwhile; figures of a run where this
                            is not near 0 say little: a busy CPU changes where threads run
std::mutex, pthread_lock and sem_lock know no checkpoints: there a hog unlocks and locks at each one.
)";
}

std::string column_titles() { return titles(stress_columns); }

std::string row(const stress_results& results, const run_result& run) {
  const auto echo = latency_cells(run.echo);
  const auto hogs = hog_cells(results, run);
  return line(
      stress_columns,
      {run.lock, std::to_string(run.plan.hogs), echo[0], echo[1], echo[2], echo[3], hogs[0],
       hogs[1], hogs[2], hogs[3], grouped(run.switches_per_second),
       grouped(run.vain_wakeups_per_second), grouped(run.voluntary_context_switches_per_second),
       grouped(run.involuntary_context_switches_per_second),
       fmt::format("{:.2f}", run.cpus_used_by_others)});
}

std::string convoy_line(const stress_results& results, const std::string& lock) {
  std::vector<std::string> factors;
  for (const auto& run : results.runs) {
    const auto convoy = run.lock == lock ? results.convoy_factor(run) : std::nullopt;
    if (convoy && run.plan.hogs != 0)
      factors.push_back(
          fmt::format("{} beside {}", factor(*convoy), count_of(run.plan.hogs, "hog")));
  }
  if (factors.empty()) return {};
  return fmt::format("{:<16} convoy factor {}\n", lock, fmt::join(factors, ", "));
}

std::string hogs_alone_titles(const run_plan& plan) {
  return fmt::format("Hogs alone; units of work from one checkpoint to the next: {}\n",
                     joined(plan.spacings)) +
         titles(hogs_alone_columns);
}

std::string hogs_alone_row(const stress_results& results, const run_result& run) {
  const auto hogs = hog_cells(results, run);
  std::vector<std::string> shares;
  for (const auto share : run.hog_hold_shares) shares.push_back(fmt::format("{:.1f}", 100 * share));
  return line(
      hogs_alone_columns,
      {run.lock, std::to_string(run.plan.hogs), hogs[0], hogs[1], hogs[2], hogs[3],
       grouped(run.switches_per_second), grouped(run.vain_wakeups_per_second),
       grouped(run.voluntary_context_switches_per_second),
       grouped(run.involuntary_context_switches_per_second),
       fmt::format("{:.2f}", run.cpus_used_by_others), fmt::format("{}", fmt::join(shares, " "))});
}

std::string detail_line(const run_result& run) {
  std::vector<std::string> details;
  if (run.echo && run.plan.connections > 1)
    details.push_back(
        fmt::format("the slowest connection ÷ the mean {:.2f}", run.echo->slowest_over_mean));
  if (run.adversary_over_hog)
    details.push_back(
        fmt::format("hold time of the adversary ÷ a hog's {:.2f}", *run.adversary_over_hog));
  if (details.empty()) return {};
  return fmt::format("{:>16} {}\n", "", fmt::join(details, ", "));
}

std::string failure_lines(const run_result& run) {
  std::string lines;
  for (const auto& failure : run.failures)
    lines += fmt::format("FAILED: {}, {}: {}\n", run.lock, count_of(run.plan.hogs, "hog"), failure);
  return lines;
}

nlohmann::ordered_json to_json(const stress_results& results) {
  auto context = to_json(results.context);
  context["workload"] = results.workload;
  context["seconds_per_run"] = std::chrono::duration_cast<seconds>(results.time_per_run).count();
  context["baseline_hog_work_per_second"] = results.baseline_hog_work_per_second;
  return {{"schema", 2},
          {"context", std::move(context)},
          {"runs", to_json(results, results.runs)},
          {"hogs_alone_runs", to_json(results, results.closing_runs)}};
}

}  // namespace conch::lab
