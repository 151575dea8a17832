// SPDX-License-Identifier: MIT
#include "costs.hpp"

#include "../common/statistics.hpp"
#include "../common/text_table.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <conch/conch.hpp>

#include <array>
#include <map>
#include <string>
#include <vector>

namespace conch::bench {

namespace {

enum measured : unsigned char { lock_and_unlock, checkpoint, attach, let_go, let_go_unblockable };

template <class Lock>
void measure_lock(benchmark::State& state) {
  Lock lock;
  for (auto _ : state) {
    lock.lock();
    lock.unlock();
  }
}

template <class Lock>
void measure_checkpoint(benchmark::State& state) {
  runtime<Lock> owner;
  const auto here = owner.attach();
  for (auto _ : state) benchmark::DoNotOptimize(owner.checkpoint());
}

/// A call back into the interpreter by a thread that it knows: inside a released region.
template <class Lock>
void measure_attach(benchmark::State& state) {
  runtime<Lock> owner;
  const auto here = owner.attach();
  const released outside(owner);
  for (auto _ : state) {
    const auto inside = owner.attach();
    benchmark::ClobberMemory();
  }
}

template <class Lock>
void measure_let_go(benchmark::State& state) {
  runtime<Lock> owner;
  const auto here = owner.attach();
  for (auto _ : state) {
    const released outside(owner);
    benchmark::ClobberMemory();
  }
}

template <class Lock>
void measure_let_go_unblockable(benchmark::State& state) {
  runtime<Lock> owner;
  const auto here = owner.attach();
  for (auto _ : state) {
    const released outside(
        owner, [](void*) noexcept {}, nullptr);
    benchmark::ClobberMemory();
  }
}

/// Keeps the time of each run, by its name.
class collector : public benchmark::BenchmarkReporter {
public:
  bool ReportContext(const Context& context) override {
    static_cast<void>(context);
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& run : runs)
      if (run.run_type == Run::RT_Iteration)
        times_[run.run_name.function_name].push_back(run.GetAdjustedRealTime());
  }
  [[nodiscard]] double median_of(const std::string& name) const {
    return lab::median(times_.at(name));
  }

private:
  std::map<std::string, std::vector<double>> times_;
};

std::string name_of(const std::string& lock, measured what) {
  return fmt::format("{} {}", lock, static_cast<int>(what));
}

template <class Lock>
void add(std::vector<std::string>& names, int repetitions) {
  names.emplace_back(Lock::traits.name);
  const auto one = [&](measured what, void (*function)(benchmark::State&)) {
    benchmark::RegisterBenchmark(name_of(names.back(), what).c_str(), function)
        ->Repetitions(repetitions)
        ->MinTime(0.02);
  };
  one(lock_and_unlock, measure_lock<Lock>);
  one(checkpoint, measure_checkpoint<Lock>);
  one(attach, measure_attach<Lock>);
  one(let_go, measure_let_go<Lock>);
  one(let_go_unblockable, measure_let_go_unblockable<Lock>);
}

}  // namespace

std::string table_of_costs(int repetitions) {
  std::vector<std::string> names;
  add<fmq_lock>(names, repetitions);
  add<timed_gil>(names, repetitions);
  add<tick_gil>(names, repetitions);
  add<sem_lock>(names, repetitions);
  add<pthread_lock>(names, repetitions);
  // In turns, so that what the machine does beside falls on all alike.
  std::string program = "conch-bench-runtime";
  std::string in_turns = "--benchmark_enable_random_interleaving=true";
  std::array<char*, 2> arguments{program.data(), in_turns.data()};
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  collector times;
  benchmark::RunSpecifiedBenchmarks(&times);
  text_table table({"", "lock and\nunlock", "\ncheckpoint", "attach and detach\nof a known thread",
                    "÷ the\nlock's", "released\nregion", "÷ the\nlock's",
                    "the same with an\nunblock function"});
  for (const auto& name : names) {
    const auto time = [&](measured what) { return times.median_of(name_of(name, what)); };
    const auto own = time(lock_and_unlock);
    table.add({name, fmt::format("{:.1f} ns", own), fmt::format("{:.2f} ns", time(checkpoint)),
               fmt::format("{:.1f} ns", time(attach)), fmt::format("{:.2f}", time(attach) / own),
               fmt::format("{:.1f} ns", time(let_go)), fmt::format("{:.2f}", time(let_go) / own),
               fmt::format("{:.1f} ns", time(let_go_unblockable))});
  }
  return table.text();
}

}  // namespace conch::bench
