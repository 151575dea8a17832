// SPDX-License-Identifier: MIT
#include "locks.hpp"

#include "../common/statistics.hpp"
#include "contention.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

namespace conch::bench {

namespace {

/// Whether there is a checkpoint to measure: not where it does nothing.
template <class Lock>
constexpr bool has_checkpoint = Lock::traits.checkpoint_switches;
template <>
constexpr bool has_checkpoint<std::mutex> = true;

template <class Lock>
bool checkpoint(Lock& lock) {
  return lock.checkpoint();
}

/// What a program with a std::mutex has to do to let others in.
bool checkpoint(std::mutex& mutex) {
  mutex.unlock();
  mutex.lock();
  return false;
}

/// Lock and unlock, by the only thread that uses the lock.
template <class Lock>
void uncontended(benchmark::State& state) {
  Lock lock;
  for (auto _ : state) {
    lock.lock();
    benchmark::ClobberMemory();
    lock.unlock();
  }
}

/// A checkpoint with nobody waiting.
template <class Lock>
void idle_checkpoint(benchmark::State& state) {
  Lock lock;
  lock.lock();
  for (auto _ : state) {
    benchmark::DoNotOptimize(checkpoint(lock));
    benchmark::ClobberMemory();
  }
  lock.unlock();
}

/// The time from one acquisition to the next, whichever threads make them.
template <class Lock>
void contended(benchmark::State& state, unsigned threads) {
  constexpr std::chrono::milliseconds time{100};
  for (auto _ : state) {
    const auto result = contend<Lock>(threads, time);
    const auto& counts = result.acquisitions;
    const auto all = std::accumulate(counts.begin(), counts.end(), 0.0);
    state.SetIterationTime(result.time.count() / all);
    state.counters["Jain"] = lab::jain_index(counts);
  }
}

template <class Lock>
void add_contended(const std::string& name) {
  for (const auto threads : {1U, 2U, 4U, 8U}) {
    const auto full_name = "contended/" + name + "/threads:" + std::to_string(threads);
    benchmark::RegisterBenchmark(full_name.c_str(), contended<Lock>, threads)
        ->Iterations(1)
        ->UseManualTime();
  }
}

/// What there is to measure of one lock.
struct lock_benchmarks {
  std::string name;
  benchmark::internal::Function* uncontended;
  benchmark::internal::Function* checkpoint;  // null where it does nothing
  void (*add_contended)(const std::string& name);
};

template <class Lock>
lock_benchmarks benchmarks_of(const std::string& name) {
  return {name, uncontended<Lock>, has_checkpoint<Lock> ? idle_checkpoint<Lock> : nullptr,
          add_contended<Lock>};
}

}  // namespace

void add_benchmarks() {
  const std::vector<lock_benchmarks> locks{
      benchmarks_of<std::mutex>("std::mutex"),
      benchmarks_of<pthread_lock>("pthread_lock"),
      benchmarks_of<sem_lock>("sem_lock"),
      benchmarks_of<tick_gil>("tick_gil"),
      benchmarks_of<basic_tick_gil<pthread_lock>>("tick_gil-pthread"),
      benchmarks_of<timed_gil>("timed_gil"),
      benchmarks_of<fmq_lock>("fmq_lock"),
  };
  for (const auto& lock : locks)
    benchmark::RegisterBenchmark(("uncontended/" + lock.name).c_str(), lock.uncontended);
  for (const auto& lock : locks)
    if (lock.checkpoint != nullptr)
      benchmark::RegisterBenchmark(("checkpoint/" + lock.name).c_str(), lock.checkpoint);
  for (const auto& lock : locks) lock.add_contended(lock.name);
}

}  // namespace conch::bench
