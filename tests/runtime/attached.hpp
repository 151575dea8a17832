// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>
#include <conch/runtime/regions.hpp>
#include <conch/runtime/runtime.hpp>

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace conch::testing {

using thread_id = posix_platform::thread_id;

/// Runs body(0) … body(count - 1) on as many threads.
template <class Body>
void on_threads(int count, Body body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (auto& thread : threads) thread.join();
}

/// Runs the body on a thread that has the id of one that has ended; fails if the system gives none again.
template <class Body>
void on_thread_with_id_of_another(thread_id ended, Body body) {
  bool came_again = false;
  for (int i = 0; i < 1'000 && !came_again; ++i)
    std::thread([&] {
      came_again = posix_platform::this_thread() == ended;
      if (came_again) body();
    }).join();
  REQUIRE(came_again);
}

/// Lets others run until the condition holds. Precondition: the caller runs.
template <class Lock, class Condition>
void let_go_until(runtime<Lock>& owner, Condition holds) {
  const released<Lock> out(owner);
  await(holds);
}

/// Lets others run until that thread has ended. Precondition: the caller runs.
template <class Lock>
void let_go_and_join(runtime<Lock>& owner, std::thread& other) {
  const released<Lock> out(owner);
  other.join();
}

/// Comes to checkpoints, with others let in between them, until the condition holds.
template <class Lock, class Condition>
void come_to_checkpoints_until(runtime<Lock>& owner, Condition holds) {
  while (!holds()) {
    owner.checkpoint();
    const released<Lock> out(owner);
    std::this_thread::yield();
  }
}

/// Something to sleep on in a released region, and to be woken from by an interrupt.
struct sleeping_place {
  std::atomic<int> times_unblocked{0};

  void sleep() noexcept { bed.park(); }
  void sleep_until(posix_platform::time_point deadline) noexcept { bed.park_until(deadline); }
  static void wake(void* self) noexcept {
    auto& place = *static_cast<sleeping_place*>(self);
    ++place.times_unblocked;
    place.bed.unpark().wake();
  }

private:
  posix_platform::parker bed;
};

/// Threads that are attached, compute, and come to a checkpoint again and again as long as this lives.
/// Over a lock that does not switch at checkpoints they yield as well.
template <class Lock>
class hogs {
public:
  /// `also` is called by each of them after each checkpoint, while it runs.
  hogs(runtime<Lock>& owner, int count, std::function<void()> also = {})
      : owner_(owner), also_(std::move(also)) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this] { run(); });
  }
  hogs(const hogs&) = delete;
  hogs& operator=(const hogs&) = delete;
  /// Precondition: the caller does not run.
  ~hogs() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
  }

  /// How often they have come to a checkpoint, all together.
  [[nodiscard]] std::uint64_t checkpoints() const { return checkpoints_; }

private:
  void run() {
    const auto self = owner_.attach();
    while (!stop_) {
      owner_.checkpoint();
      checkpoints_.fetch_add(1, std::memory_order_relaxed);
      if constexpr (!Lock::traits.checkpoint_switches) owner_.yield();
      if (also_) also_();
    }
  }

  runtime<Lock>& owner_;
  const std::function<void()> also_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> checkpoints_{0};
  std::vector<std::thread> threads_;
};

}  // namespace conch::testing
