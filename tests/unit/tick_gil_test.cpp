// SPDX-License-Identifier: MIT

// The algorithm of tick_gil: periods of checkpoints, and a release with no handoff at their ends.

#include <conch/stats.hpp>
#include <conch/tick_gil.hpp>

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <cstdint>
#include <limits>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::event_counter;
using conch::lock_event;

namespace {

using counted_tick_gils = std::tuple<conch::basic_tick_gil<conch::sem_lock, event_counter>,
                                     conch::basic_tick_gil<conch::pthread_lock, event_counter>>;

/// How many checkpoints it takes until the period ends, which releases the lock and takes it again.
template <class Gil>
int checkpoints_until_release(Gil& gil) {
  const auto before = gil.observer()[lock_event::acquired];
  for (int count = 1;; ++count) {
    gil.checkpoint();
    if (gil.observer()[lock_event::acquired] != before) return count;
  }
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("the first checkpoint ends a period since the countdown starts at 0",
                        "[tick_gil]", counted_tick_gils) {
  TestType gil;
  gil.lock();
  CHECK(checkpoints_until_release(gil) == 1);
  gil.unlock();
}

TEMPLATE_LIST_TEST_CASE("a period is check_interval + 1 checkpoints", "[tick_gil]",
                        counted_tick_gils) {
  TestType gil;
  CHECK(gil.check_interval() == 100);
  gil.lock();
  gil.checkpoint();
  CHECK(checkpoints_until_release(gil) == 101);
  CHECK(checkpoints_until_release(gil) == 101);
  gil.unlock();

  TestType short_gil(1);
  CHECK(short_gil.check_interval() == 1);
  short_gil.lock();
  short_gil.checkpoint();
  CHECK(checkpoints_until_release(short_gil) == 2);
  CHECK(checkpoints_until_release(short_gil) == 2);
  short_gil.unlock();
}

TEMPLATE_LIST_TEST_CASE("setting the check interval starts a new period of that length",
                        "[tick_gil]", counted_tick_gils) {
  TestType gil;
  gil.set_check_interval(10);
  CHECK(gil.check_interval() == 10);
  gil.lock();
  CHECK(checkpoints_until_release(gil) == 11);
  for (int i = 0; i < 5; ++i) gil.checkpoint();
  gil.set_check_interval(7);
  CHECK(checkpoints_until_release(gil) == 8);
  CHECK(checkpoints_until_release(gil) == 8);
  gil.unlock();
}

TEMPLATE_LIST_TEST_CASE("another thread's force_checkpoint ends the period at the next checkpoint",
                        "[tick_gil]", counted_tick_gils) {
  TestType gil;
  gil.lock();
  gil.checkpoint();
  for (int i = 0; i < 5; ++i) gil.checkpoint();
  std::thread([&] { gil.force_checkpoint(); }).join();
  CHECK(checkpoints_until_release(gil) == 1);
  CHECK(checkpoints_until_release(gil) == 101);
  gil.unlock();
}

TEMPLATE_LIST_TEST_CASE("a yield starts a new period", "[tick_gil]", counted_tick_gils) {
  TestType gil;
  gil.lock();
  gil.checkpoint();
  for (int i = 0; i < 5; ++i) gil.checkpoint();
  gil.yield();
  CHECK(checkpoints_until_release(gil) == 101);
  gil.unlock();
}

TEMPLATE_LIST_TEST_CASE("the end of a period that nobody waits for is no forced switch",
                        "[tick_gil]", counted_tick_gils) {
  TestType gil;
  gil.lock();
  for (int i = 0; i < 1'000; ++i) gil.checkpoint();
  CHECK(gil.observer()[lock_event::forced_switch] == 0);
  CHECK(gil.observer()[lock_event::vain_wakeup] == 0);
  gil.unlock();
}

// main     lock ─ (waits: 1) ─ yield ─ yield ─ yield ··· true
// waiter        lock ············ vain ·· vain ··· has it
TEMPLATE_LIST_TEST_CASE("each release that a waiter was woken for in vain is counted", "[tick_gil]",
                        counted_tick_gils) {
  TestType gil;
  std::uint64_t vain = 0;
  std::uint64_t switches = 0;
  while (vain == 0) {
    gil.lock();
    std::thread waiter([&] {
      gil.lock();
      gil.unlock();
    });
    await_waiters(gil, 1);
    while (!gil.yield()) ++vain;
    ++switches;
    waiter.join();
    gil.unlock();
  }
  CHECK(gil.observer()[lock_event::vain_wakeup] == vain);
  CHECK(gil.observer()[lock_event::forced_switch] == vain + switches);
}

// main     lock ─ (waits: 1) ─ checkpoint ─ … ─ checkpoint ·········· true
// waiter        lock ········································· has it
TEMPLATE_LIST_TEST_CASE("checkpoints let a waiter in sooner or later", "[tick_gil]",
                        counted_tick_gils) {
  TestType gil;
  gil.lock();
  bool had_it = false;
  std::thread waiter([&] {
    gil.lock();
    had_it = true;
    gil.unlock();
  });
  await_waiters(gil, 1);
  while (!gil.checkpoint()) {  // without a pause, which would be one of the holder's
  }
  CHECK(had_it);
  gil.unlock();
  waiter.join();
}

TEST_CASE("the longest check interval neither ends early nor overflows", "[tick_gil]") {
  conch::basic_tick_gil<conch::sem_lock, event_counter> gil(std::numeric_limits<int>::max());
  gil.lock();
  CHECK(checkpoints_until_release(gil) == 1);
  const auto before = gil.observer()[lock_event::acquired];
  for (int i = 0; i < 1'000; ++i) gil.checkpoint();
  CHECK(gil.observer()[lock_event::acquired] == before);
  gil.unlock();
}
