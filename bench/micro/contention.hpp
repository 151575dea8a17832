// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <thread>
#include <vector>

namespace conch::bench {

struct contention_result {
  std::chrono::duration<double> time{0};
  std::vector<double> acquisitions;  ///< by each thread
};

/// Has threads lock, add one and unlock, with nothing in between, all for the same time.
///
/// All run for the same time, rather than for the same number of iterations: under a lock that lets
/// one thread after the other do all of its iterations, there would be no contention to measure.
template <class Lock>
contention_result contend(unsigned threads, std::chrono::nanoseconds time) {
  Lock lock;
  volatile std::uint64_t guarded = 0;
  std::atomic<bool> stop{false};
  std::latch start(std::ptrdiff_t{threads} + 1);
  contention_result result;
  result.acquisitions.resize(threads);

  std::vector<std::thread> contenders;
  contenders.reserve(threads);
  for (auto& acquisitions : result.acquisitions)
    contenders.emplace_back([&] {
      std::uint64_t count = 0;
      start.arrive_and_wait();
      for (; !stop.load(std::memory_order_relaxed); ++count) {  // it only has to be seen, in time
        lock.lock();
        guarded = guarded + 1;
        lock.unlock();
      }
      acquisitions = static_cast<double>(count);
    });

  start.arrive_and_wait();
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(time);
  stop.store(true, std::memory_order_relaxed);
  result.time = std::chrono::steady_clock::now() - begin;
  for (auto& contender : contenders) contender.join();
  return result;
}

}  // namespace conch::bench
