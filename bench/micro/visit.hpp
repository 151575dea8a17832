// SPDX-License-Identifier: MIT
#pragma once

#include "contention.hpp"
#include "crew.hpp"

#include <chrono>
#include <cstdint>

namespace conch::bench {

template <class Lock>
concept with_checkpoint = requires(Lock& lock) {
  lock.checkpoint();
};

/// What the holder does, again and again, to let others in.
template <class Lock>
void let_others_in(Lock& lock) {
  if constexpr (with_checkpoint<Lock>) {
    static_cast<void>(lock.checkpoint());
  } else {
    lock.unlock();
    lock.lock();
  }
}

/// One thread keeps the lock, and lets others in after each 50 ns of work. Another one comes every 5 µs:
/// the time that it needs to lock and to unlock, on average.
template <class Lock>
nanoseconds measure_visits(std::chrono::nanoseconds time) {
  using clock = std::chrono::steady_clock;
  guarded<Lock> shared;
  alignas(64) clock::duration needed{0};
  std::uint64_t visits = 0;
  const auto piece = machine_speed().work_of(nanoseconds(50));
  const auto outside = machine_speed().work_of(nanoseconds(5'000));
  const auto look = std::chrono::duration_cast<clock::duration>(machine_speed().clock_read);
  crew threads;
  threads.add(1, [&](unsigned) {
    std::uint64_t state = 1;
    shared.lock.lock();
    while (!threads.must_end()) {
      state = compute(piece, state);
      let_others_in(shared.lock);
    }
    shared.lock.unlock();
  });
  threads.add(1, [&](unsigned) {
    std::uint64_t state = 2;
    while (!threads.must_end()) {
      state = compute(outside, state);
      const auto came = clock::now();
      shared.lock.lock();
      shared.lock.unlock();
      const auto left = clock::now();
      if (!threads.warmed_up()) continue;
      needed += left - came - look;
      ++visits;
    }
  });
  threads.begin();
  wait_for(time);
  threads.end();
  threads.join();
  return nanoseconds(needed) / static_cast<double>(visits == 0 ? 1 : visits);
}

}  // namespace conch::bench
