// SPDX-License-Identifier: MIT
#pragma once

#include "../common/latency_histogram.hpp"
#include "crew.hpp"
#include "process_counters.hpp"
#include "work.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace conch::bench {

/// Threads that lock, work, unlock, work, and begin again.
struct contention {
  unsigned threads = 1;
  nanoseconds inside{0};   ///< work under the lock
  nanoseconds outside{0};  ///< from the unlock to the next lock
};

/// How much contention there was to be had from a lock, undisturbed by any look at a clock.
struct throughput {
  process_counters begin;
  process_counters end;
  std::vector<double> acquisitions;  ///< by each thread, from begin to end
};

/// How long threads waited, where each acquisition is timed.
struct waits {
  lab::latency_histogram all;
  std::vector<double> held;                       ///< by each thread, in seconds
  std::vector<std::chrono::nanoseconds> longest;  ///< of each thread
};

/// A lock and what it guards, on cache lines of their own.
template <class Lock>
struct guarded {
  alignas(64) Lock lock;
  alignas(64) std::uint64_t state = 1;

  void work_inside(work amount) noexcept { state = compute(amount, state); }
};

/// All threads run for the same time, rather than for the same number of acquisitions: under a lock
/// that lets one thread after the other do all of its own, there would be no contention.
template <class Lock>
throughput measure_throughput(const contention& plan, std::chrono::nanoseconds time) {
  struct alignas(64) counter {
    std::atomic<std::uint64_t> value{0};  // written by its own thread
  };
  guarded<Lock> shared;
  std::vector<counter> counters(plan.threads);
  const auto inside = machine_speed().work_of(plan.inside);
  const auto outside = machine_speed().work_of(plan.outside);

  crew threads;
  threads.add(plan.threads, [&](unsigned number) {
    auto& own = counters[number].value;
    std::uint64_t state = number;
    while (!threads.must_end()) {
      shared.lock.lock();
      shared.work_inside(inside);
      shared.lock.unlock();
      // Relaxed, also below: a count, which orders nothing.
      own.store(own.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      state = compute(outside, state);
    }
  });

  throughput result;
  threads.begin();
  for (const auto& counter : counters)
    result.acquisitions.push_back(
        -static_cast<double>(counter.value.load(std::memory_order_relaxed)));
  result.begin = process_counters::now();
  wait_for(time);
  for (unsigned number = 0; number < plan.threads; ++number)
    result.acquisitions[number] +=
        static_cast<double>(counters[number].value.load(std::memory_order_relaxed));
  result.end = process_counters::now();
  return result;
}

/// The looks at the clock, one after the lock and two outside, take the place of as much work.
/// A section that is shorter than a look is as long as one.
template <class Lock>
waits measure_waits(const contention& plan, std::chrono::nanoseconds time) {
  using clock = std::chrono::steady_clock;
  struct alignas(64) record {
    lab::latency_histogram waits;
    clock::duration held{0};
  };
  guarded<Lock> shared;
  std::vector<record> records(plan.threads);
  const auto look = machine_speed().clock_read;
  const auto inside = machine_speed().work_of(plan.inside - look);
  const auto outside = machine_speed().work_of(plan.outside - 2 * look);

  crew threads;
  threads.add(plan.threads, [&](unsigned number) {
    auto& own = records[number];
    std::uint64_t state = number;
    while (!threads.must_end()) {
      const auto asked = clock::now();
      shared.lock.lock();
      const auto acquired = clock::now();
      shared.work_inside(inside);
      shared.lock.unlock();
      const auto released = clock::now();
      if (threads.warmed_up()) {  // also one who has waited since before, or until after the end
        own.waits.record(acquired - asked);
        own.held += released - acquired;
      }
      state = compute(outside, state);
    }
  });
  threads.begin();
  wait_for(time);
  threads.end();
  threads.join();

  waits result;
  for (const auto& record : records) {
    result.all.add(record.waits);
    result.held.push_back(std::chrono::duration<double>(record.held).count());
    result.longest.push_back(record.waits.longest());
  }
  return result;
}

}  // namespace conch::bench
