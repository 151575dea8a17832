// SPDX-License-Identifier: MIT
#pragma once

#include "contention.hpp"
#include "crew.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace conch::bench {

/// Lets another thread have the lock, as well as the lock can: one that has no yield() is unlocked
/// and locked.
template <class Lock>
void let_pass(Lock& lock) {
  if constexpr (requires { lock.yield(); }) {
    lock.yield();
  } else {
    lock.unlock();
    lock.lock();
  }
}

/// Threads that, all but the holder, wait: each that gets the lock lets it pass at once. Returns the
/// time from one change of the holder to the next.
template <class Lock>
nanoseconds measure_passing(unsigned waiters, std::chrono::nanoseconds time) {
  constexpr unsigned nobody = -1U;
  guarded<Lock> shared;
  unsigned last = nobody;                 // guarded by the lock
  std::atomic<std::uint64_t> changes{0};  // written by the holder
  crew threads;
  threads.add(waiters + 1, [&](unsigned number) {
    shared.lock.lock();
    while (!threads.must_end()) {
      // Relaxed, also below: a count, which orders nothing.
      if (last != number)
        changes.store(changes.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      last = number;
      let_pass(shared.lock);
    }
    shared.lock.unlock();
  });
  threads.begin();
  const auto begin = std::chrono::steady_clock::now();
  const auto before = changes.load(std::memory_order_relaxed);
  wait_for(time);
  const auto count = changes.load(std::memory_order_relaxed) - before;
  const auto end = std::chrono::steady_clock::now();
  return nanoseconds(end - begin) / static_cast<double>(count == 0 ? 1 : count);
}

}  // namespace conch::bench
