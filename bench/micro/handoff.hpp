// SPDX-License-Identifier: MIT
#pragma once

#include "../common/latency_histogram.hpp"
#include "contention.hpp"
#include "crew.hpp"

#include <conch/platform/posix.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>

namespace conch::bench {

/// A lock that goes from thread to thread while all others wait for it.
struct handoff {
  unsigned waiters = 1;  ///< threads that wait while one holds
  /// For how long the holder holds on once all others are in the queue, so that they are asleep.
  std::chrono::nanoseconds until_asleep{0};
};

/// The times from just before each unlock to the return of the next lock, by another thread.
///
/// The holder lets go once all others have called lock(), and calls lock() again only when another
/// one has acquired it: no lock, however unfair, is spared a handoff.
template <class Lock>
lab::latency_histogram measure_handoffs(const handoff& plan, std::chrono::nanoseconds time) {
  using clock = std::chrono::steady_clock;
  struct relay {  // NOLINT(*Padding): lines of the cache
    guarded<Lock> shared;
    clock::time_point released;  // guarded by the lock, as the two below
    lab::latency_histogram handoffs;
    std::uint32_t acquisitions = 0;
    alignas(64) std::atomic<std::uint32_t> waiting{0};
    alignas(64) std::atomic<std::uint32_t> turn{0};
  };
  const auto shared = std::make_unique<relay>();
  crew threads;

  // Both lets others run: on one CPU nobody else could queue.
  const auto idle = [] {
    for (int pauses = 0; pauses < 20; ++pauses) posix_platform::relax();
    std::this_thread::yield();
  };
  const auto hold_until_all_wait = [&] {
    while (shared->waiting.load(std::memory_order_acquire) < plan.waiters && !threads.must_end())
      idle();
    if (plan.until_asleep == plan.until_asleep.zero()) return;
    const auto end = clock::now() + plan.until_asleep;
    while (clock::now() < end && !threads.must_end()) idle();
  };

  threads.add(plan.waiters + 1, [&](unsigned) {
    while (!threads.must_end()) {
      shared->waiting.fetch_add(1, std::memory_order_release);
      shared->shared.lock.lock();
      const auto acquired = clock::now();
      if (shared->acquisitions != 0 && threads.warmed_up() && !threads.must_end())
        shared->handoffs.record(acquired - shared->released);
      const auto turn = ++shared->acquisitions;
      shared->waiting.fetch_sub(1, std::memory_order_relaxed);
      shared->turn.store(turn, std::memory_order_release);
      hold_until_all_wait();
      shared->released = clock::now();
      shared->shared.lock.unlock();
      while (shared->turn.load(std::memory_order_acquire) == turn && !threads.must_end()) idle();
    }
  });
  threads.begin();
  // Some locks take very long in a long queue.
  constexpr std::uint32_t enough = 20;
  const auto first = shared->turn.load(std::memory_order_relaxed);
  const auto handed_over = [&] { return shared->turn.load(std::memory_order_relaxed) - first; };
  wait_for(time);
  for (int longer = 1; longer < 10 && handed_over() < enough && !interrupted(); ++longer)
    wait_for(time);
  threads.end();
  threads.join();
  return shared->handoffs;
}

}  // namespace conch::bench
