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

/// A thread that keeps the lock, and lets others in between two pieces of work.
struct busy_holder {
  nanoseconds piece{50};
  nanoseconds between_visits{5'000};  ///< what another thread computes until it comes for the lock
};

/// The time that the other thread needs to lock and to unlock, on average.
template <class Lock>
nanoseconds measure_visits(const busy_holder& plan, std::chrono::nanoseconds time) {
  using clock = std::chrono::steady_clock;
  guarded<Lock> shared;
  alignas(64) clock::duration needed{0};
  std::uint64_t visits = 0;
  const auto piece = machine_speed().work_of(plan.piece);
  const auto outside = machine_speed().work_of(plan.between_visits);
  const auto look = std::chrono::duration_cast<clock::duration>(machine_speed().clock_read);
  crew threads;
  threads.add(2, [&](unsigned number) {
    auto& lock = shared.lock;
    std::uint64_t state = number;
    if (number == 0) {
      lock.lock();
      while (!threads.must_end()) {
        state = compute(piece, state);
        let_others_in(lock);
      }
      lock.unlock();
    } else {
      while (!threads.must_end()) {
        state = compute(outside, state);
        const auto came = clock::now();
        lock.lock();
        lock.unlock();
        const auto left = clock::now();
        if (!threads.warmed_up()) continue;
        needed += left - came - look;
        ++visits;
      }
    }
  });
  threads.begin();
  wait_for(time);
  threads.end();
  threads.join();
  return nanoseconds(needed) / static_cast<double>(visits == 0 ? 1 : visits);
}

}  // namespace conch::bench
