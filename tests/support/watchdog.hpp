// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

namespace conch::testing {

/// Ends the program, with a description of what hangs, when nothing has been fed to it for a while.
class watchdog {
public:
  using describer = std::function<std::string()>;

  explicit watchdog(describer describe, std::chrono::seconds patience = std::chrono::seconds(30))
      : describe_(std::move(describe)), patience_(patience), thread_([this] { watch(); }) {}
  watchdog(const watchdog&) = delete;
  watchdog& operator=(const watchdog&) = delete;
  ~watchdog() {
    {
      const std::lock_guard guard(mutex_);
      done_ = true;
    }
    finished_.notify_one();
    thread_.join();
  }

  /// Relaxed: a sign of life that orders nothing, so that it hides no race.
  void feed() noexcept { fed_.fetch_add(1, std::memory_order_relaxed); }

private:
  void watch() {
    std::unique_lock guard(mutex_);
    for (auto seen = fed_.load(std::memory_order_relaxed);;) {
      if (finished_.wait_for(guard, patience_, [this] { return done_; })) return;
      const auto now = fed_.load(std::memory_order_relaxed);
      if (now == seen) bark();
      seen = now;
    }
  }

  [[noreturn]] void bark() {
    std::fputs("watchdog: no progress\n", stderr);
    std::fprintf(stderr, "watchdog: %s\n", describe_().c_str());
    std::abort();
  }

  describer describe_;
  std::chrono::seconds patience_;
  std::mutex mutex_;
  std::condition_variable finished_;
  bool done_ = false;
  std::atomic<std::uint64_t> fed_{0};
  std::thread thread_;  // last: it uses all the others
};

}  // namespace conch::testing
