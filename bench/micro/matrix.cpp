// SPDX-License-Identifier: MIT
#include "matrix.hpp"

#include "../common/cpu_time.hpp"
#include "../common/statistics.hpp"
#include "figures.hpp"
#include "futex_count.hpp"
#include "interruption.hpp"
#include "locks.hpp"
#include "results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <regex>
#include <system_error>

namespace conch::bench {

namespace {

using std::chrono::milliseconds;
using seconds = std::chrono::duration<double>;
using state = benchmark::State;

/// One row of the matrix: what is done with each lock. Null for a lock that it does not apply to.
struct row {
  std::string name;
  seconds time{0};
  std::function<std::function<void(state&, unsigned round)>(const measured_lock&)> of;
};

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

/// Acquisitions that were counted; one if there were none, so that it can be divided by.
double count(const throughput& measured) { return std::max(1.0, sum(measured.acquisitions)); }

/// Measures once, by hand rather than by Google Benchmark, which returns the time of one acquisition.
void measure(state& run, const std::function<seconds()>& once) {
  for (auto _ : run) {
    if (interrupted()) {
      run.SkipWithError(interrupted_error);
      break;
    }
    try {
      const auto begin = lab::cpu_usage::now();
      run.SetIterationTime(once().count());
      run.counters[figure::others] = lab::cpus_used_by_others(begin, lab::cpu_usage::now());
    } catch (const std::system_error& error) {
      run.SkipWithError(error.what());
      break;
    }
    if (interrupted()) run.SkipWithError(interrupted_error);
  }
}

void report(state& run, const waits& measured) {
  const auto nanoseconds_of = [&](double share) {
    return static_cast<double>(measured.all.quantile(share).count());
  };
  const auto most = std::max_element(measured.longest.begin(), measured.longest.end());
  std::vector<double> longest;
  for (const auto wait : measured.longest) longest.push_back(static_cast<double>(wait.count()));
  run.counters[figure::wait_p50] = nanoseconds_of(0.5);
  run.counters[figure::wait_p99] = nanoseconds_of(0.99);
  run.counters[figure::wait_p999] = nanoseconds_of(0.999);
  run.counters[figure::longest_wait] = static_cast<double>(most->count());
  run.counters[figure::median_longest_wait] = lab::median(longest);
  run.counters[figure::longest_waiter] = static_cast<double>(most - measured.longest.begin());
  run.counters[figure::jain_hold_time] = lab::jain_index(measured.held);
}

seconds contend(state& run, const measured_lock& lock, const contention& plan, milliseconds time) {
  const auto measured = lock.throughput(plan, time);
  const auto switches = measured.end.context_switches - measured.begin.context_switches;
  run.counters[figure::jain_acquisitions] = lab::jain_index(measured.acquisitions);
  run.counters[figure::context_switches] = switches / count(measured);
  report(run, lock.waits(plan, time));
  return (measured.end.when - measured.begin.when) / count(measured);
}

void count_futex_calls(state& run, const measured_lock& lock, const contention& plan,
                       milliseconds time) {
  const auto counted = counting_futex_calls([&] {
    const auto measured = lock.throughput(plan, time);
    return (measured.end.futex_calls - measured.begin.futex_calls) / count(measured);
  });
  if (counted) run.counters[figure::futex_calls] = *counted;
}

row shared(const std::string& kind, const pace& speed, const contention& plan) {
  const auto time = speed.contended_by(plan.threads);
  const auto counting_time = speed.counting_futex_calls;
  return {fmt::format("{}/{:.0f}ns/threads:{}", kind, plan.inside.count(), plan.threads),
          2 * time + milliseconds(20) + counting_time / speed.rounds,
          [=](const measured_lock& lock) {
            return [=, &lock](state& run, unsigned round) {
              measure(run, [&] { return contend(run, lock, plan, time); });
              if (round == 0 && !run.error_occurred())
                count_futex_calls(run, lock, plan, counting_time);
            };
          }};
}

row handed_over(const std::string& name, const handoff& plan, milliseconds time) {
  return {name, time + milliseconds(10) + plan.waiters * milliseconds(1) / 4,
          [=](const measured_lock& lock) {
            return [=, &lock](state& run, unsigned) {
              measure(run, [&]() -> seconds {
                const auto handoffs = lock.handoffs(plan, time);
                run.counters["p99_ns"] = static_cast<double>(handoffs.quantile(0.99).count());
                run.counters["handoffs"] = static_cast<double>(handoffs.count());
                if (handoffs.count() == 0 && !interrupted())
                  run.SkipWithError("there was no handoff");
                return handoffs.quantile(0.5);
              });
            };
          }};
}

row passed(unsigned waiters, milliseconds time) {
  return {fmt::format("pass/waiters:{}", waiters),
          time + milliseconds(10) + waiters * milliseconds(1) / 4, [=](const measured_lock& lock) {
            return [=, &lock](state& run, unsigned) {
              measure(run, [&]() -> seconds { return lock.passing(waiters, time); });
            };
          }};
}

row visited(milliseconds time) {
  return {"visit", time + milliseconds(10), [=](const measured_lock& lock) {
            return [=, &lock](state& run, unsigned) {
              measure(run, [&]() -> seconds { return lock.visits(time); });
            };
          }};
}

/// A row that Google Benchmark times, by the iteration.
row timed(const std::string& name, void (*measured_lock::*what)(state&), seconds time) {
  return {name, 2 * time, [=](const measured_lock& lock) {
            auto* const function = lock.*what;
            std::function<void(state&, unsigned)> body;
            if (function == nullptr) return body;
            body = [function](state& run, unsigned) {
              if (interrupted()) return run.SkipWithError(interrupted_error);
              const auto begin = lab::cpu_usage::now();
              function(run);
              run.counters[figure::others] = lab::cpus_used_by_others(begin, lab::cpu_usage::now());
            };
            return body;
          }};
}

std::vector<row> all_rows(const pace& speed) {
  constexpr std::array numbers_of_waiters{4U, 16U, 64U, 256U, 1024U};
  std::vector<row> rows{timed("uncontended", &measured_lock::uncontended, speed.alone),
                        timed("checkpoint", &measured_lock::checkpoint, speed.alone)};
  constexpr nanoseconds outside_per_thread{100};
  for (const auto inside : {1, 20, 50, 200, 2'000})
    for (const auto threads : {1U, 2U, 4U, 8U, 16U, 64U})
      rows.push_back(shared("contended", speed,
                            {.threads = threads,
                             .inside = nanoseconds(inside),
                             .outside = outside_per_thread * threads}));
  for (const auto threads : {2U, 4U, 8U, 16U})
    rows.push_back(shared("saturated", speed, {.threads = threads, .inside = nanoseconds(1)}));
  for (const auto waiters : numbers_of_waiters)
    rows.push_back(handed_over(fmt::format("queue/waiters:{}", waiters),
                               {.waiters = waiters, .until_asleep = std::chrono::microseconds(200)},
                               speed.handoffs));
  for (const auto waiters : numbers_of_waiters) rows.push_back(passed(waiters, speed.passing));
  rows.push_back(handed_over("ping-pong", {.waiters = 1}, speed.handoffs));
  rows.push_back(visited(speed.handoffs));
  return rows;
}

/// As Google Benchmark reads its filter, but of the names without the way of measuring.
class name_filter {
public:
  explicit name_filter(std::string filter) : inverted_(filter.starts_with('-')) {
    if (inverted_) filter.erase(0, 1);
    const bool all = filter.empty() || filter == "all";
    pattern_.assign(all ? std::string(1, '.') : filter, std::regex::extended);
  }

  [[nodiscard]] bool selects(const std::string& name) const {
    return std::regex_search(name, pattern_) != inverted_;
  }

private:
  bool inverted_;
  std::regex pattern_;
};

}  // namespace

std::vector<planned_benchmark> add_benchmarks(const pace& speed, const std::string& filter) {
  const name_filter wanted(filter);
  std::vector<planned_benchmark> planned;
  for (const auto& row : all_rows(speed))
    for (unsigned round = 0; round < speed.rounds; ++round)
      for (const auto& lock : all_locks()) {
        const auto name = row.name + "/" + lock.name;
        const auto body = lock.missing.empty() ? row.of(lock) : nullptr;
        if (!body || !wanted.selects(name)) continue;
        auto* const added = benchmark::RegisterBenchmark(name.c_str(), [body, round](state& run) {
          body(run, round);
          run.counters[figure::round] = round;
        });
        if (row.name == "uncontended" || row.name == "checkpoint")
          added->MinTime(speed.alone.count());
        else
          added->Iterations(1)->UseManualTime();
        planned.push_back({.name = name, .time = row.time});
      }
  return planned;
}

}  // namespace conch::bench
