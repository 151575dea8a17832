// SPDX-License-Identifier: MIT
#pragma once

#include "interruption.hpp"

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace conch::bench {

/// The threads of one run: all begin together, warm up, are measured, and end.
class crew {
public:
  crew() = default;
  ~crew() { go_on_to(over); }  // and the threads are joined
  crew(const crew&) = delete;
  crew& operator=(const crew&) = delete;

  /// Adds threads that each run body(number of the thread). Throws std::system_error.
  template <class Body>
  void add(unsigned threads, Body body) {
    threads_.reserve(threads);
    for (unsigned number = 0; number < threads; ++number)
      threads_.emplace_back([this, body, number] {
        phase_.wait(gathering);
        body(number);
      });
  }

  /// Lets them begin, and returns when they have warmed up.
  void begin() {
    go_on_to(warming_up);
    wait_for(std::chrono::milliseconds(5) + threads_.size() * std::chrono::microseconds(200));
    go_on_to(measured);
  }

  void end() { go_on_to(over); }

  // Relaxed, below: they only have to be seen in time, and what a thread has recorded is read
  // when it has been joined.
  [[nodiscard]] bool warmed_up() const noexcept {
    return phase_.load(std::memory_order_relaxed) >= measured;
  }
  [[nodiscard]] bool must_end() const noexcept {
    return phase_.load(std::memory_order_relaxed) == over;
  }

  void join() {
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

private:
  enum phase : int { gathering, warming_up, measured, over };

  void go_on_to(phase next) {
    phase_.store(next);
    phase_.notify_all();
  }

  alignas(64) std::atomic<int> phase_{gathering};
  alignas(64) std::vector<std::jthread> threads_;
};

}  // namespace conch::bench
