// SPDX-License-Identifier: MIT
// The worked example of docs/SIMULATOR.md.
#include "engine/platform.hpp"
#include "engine/search.hpp"
#include "scenarios/scenarios.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>

namespace {

template <class Platform>
class naive_lock {
public:
  void lock() {
    if (!taken_.exchange(true, std::memory_order_acquire)) return;
    waiters_.fetch_add(1, std::memory_order_acq_rel);
    while (taken_.exchange(true, std::memory_order_acquire)) wake_.acquire();
    waiters_.fetch_sub(1, std::memory_order_acq_rel);
  }
  void unlock() {
    taken_.store(false, std::memory_order_release);
    if (waiters_.load(std::memory_order_acquire) != 0) wake_.release();
  }

private:
  typename Platform::template atomic<bool> taken_{false};
  typename Platform::template atomic<int> waiters_{0};
  typename Platform::semaphore wake_{0};
};

/// The same with the one order that all of its operations need.
template <class Platform>
class mended_lock {
public:
  void lock() {
    if (!taken_.exchange(true)) return;
    waiters_.fetch_add(1);
    while (taken_.exchange(true)) wake_.acquire();
    waiters_.fetch_sub(1);
  }
  void unlock() {
    taken_.store(false);
    if (waiters_.load() != 0) wake_.release();
  }

private:
  typename Platform::template atomic<bool> taken_{false};
  typename Platform::template atomic<int> waiters_{0};
  typename Platform::semaphore wake_{0};
};

template <class Lock>
void two_threads() {
  Lock lock;
  conch::sim::section inside;
  const auto use = [&] {
    lock.lock();
    inside.enter();
    inside.look();
    inside.leave();
    lock.unlock();
  };
  conch::sim::threads all;
  all.add(use);
  all.add(use);
  all.join();
}

const conch::sim::scenario naive{"naive", two_threads<naive_lock<conch::sim::sim_platform>>};
const conch::sim::scenario mended{"mended", two_threads<mended_lock<conch::sim::sim_platform>>};

}  // namespace

TEST_CASE("a search of all small schedules finds what is wrong with the naive lock") {
  const auto all = conch::sim::make_exhaustive({.preemptions = 2, .old_values = 1, .faults = 0});
  const auto result = conch::sim::explore(naive, *all, 10'000);
  REQUIRE(result.found);
  INFO(conch::sim::describe(naive, *result.found));
  CHECK(result.found->what.find("nothing can run and no timer is armed") == 0);
  CHECK(conch::sim::replay(naive, result.found->replay).failure == result.found->what);
}

TEST_CASE("a random search finds it too, and its seed replays it") {
  const auto result = conch::sim::roam(naive, 1, 10'000);
  REQUIRE(result.found);
  CHECK(conch::sim::replay(naive, result.found->replay).failure == result.found->what);
}

TEST_CASE(
    "without old values, as on a machine that is sequentially consistent, it cannot be found") {
  const auto all = conch::sim::make_exhaustive({.preemptions = 3, .old_values = 0, .faults = 0});
  const auto result = conch::sim::explore(naive, *all);
  CHECK_FALSE(result.found);
  CHECK(result.complete);
}

TEST_CASE("with one order for all four operations the lock is right") {
  const auto all = conch::sim::make_exhaustive({.preemptions = 3, .old_values = 2, .faults = 0});
  const auto result = conch::sim::explore(mended, *all);
  CHECK_FALSE(result.found);
  CHECK(result.complete);
  CHECK_FALSE(conch::sim::roam(mended, 1, 50'000).found);
}
