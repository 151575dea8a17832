// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "work.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>

namespace conch::lab {

// Threads that have nothing to do with the lock. Each runs until it is told to stop.

/// Computes, so that its CPU never sleeps. The units of work that it did, one at the least.
inline std::uint64_t burn(work_unit unit, const std::atomic<bool>& stop) {
  std::uint64_t work = 0;
  std::uint64_t state = 1;
  do {
    state = do_work(unit, state);
    ++work;
  } while (!stop.load(std::memory_order_relaxed));
  return work;
}

/// Sleeps a millisecond at a time. By how much a wake-up was late at the worst: the scheduler's and
/// the timer's own delay, which no lock can do anything about.
inline clock::duration watch_scheduler(const std::atomic<bool>& stop) {
  clock::duration latest{0};
  while (!stop.load(std::memory_order_relaxed)) {
    const auto due = clock::now() + std::chrono::milliseconds(1);
    std::this_thread::sleep_until(due);
    latest = std::max(latest, clock::now() - due);
  }
  return latest;
}

}  // namespace conch::lab
