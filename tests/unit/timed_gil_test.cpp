// SPDX-License-Identifier: MIT

// The algorithm of timed_gil: drop requests after an interval, and forced switching. Time moves by
// hand here, in steps of the tests, so that nothing depends on how fast the machine is.

#include <conch/stats.hpp>
#include <conch/timed_gil.hpp>

#include "../support/locks.hpp"
#include "../support/manual_platform.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::event_counter;
using conch::lock_event;
using time_machine = manual_platform;

namespace {

using manual_gil = conch::basic_timed_gil<manual_platform, event_counter>;

/// A gil on a clock at its beginning.
struct manual_gil_test {
  manual_gil_test() { time_machine::reset(); }
  manual_gil gil;

  [[nodiscard]] bool asked() { return gil.request().standing(); }

  /// A thread that takes the lock, holds it until leave is set, and lets go.
  std::thread taker(std::atomic<bool>& leave) {
    return std::thread([this, &leave] {
      gil.lock();
      await([&] { return leave.load(); });
      gil.unlock();
    });
  }
  std::thread taker() {
    return std::thread([this] {
      gil.lock();
      gil.unlock();
    });
  }
};

}  // namespace

// main     lock ─ (asleep) ───────── checkpoint: false ─ checkpoint ···· true
// waiter        lock ······ 5 ms - 1 ns ··········· 5 ms: asks ····· has it
TEST_CASE_METHOD(manual_gil_test, "a waiter asks after a whole interval and not before",
                 "[timed_gil]") {
  REQUIRE(gil.switch_interval() == 5ms);
  gil.lock();
  auto waiter = taker();
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(5ms - 1ns);
  CHECK(time_machine::waits_started() == 1);
  CHECK(time_machine::sleepers() == 1);
  CHECK_FALSE(asked());
  CHECK_FALSE(gil.checkpoint());
  time_machine::advance(1ns);
  await([] { return time_machine::waits_started() == 2; });
  CHECK(asked());
  CHECK(gil.observer()[lock_event::drop_requested] == 1);
  CHECK(gil.checkpoint());
  CHECK(gil.observer()[lock_event::forced_switch] == 1);
  CHECK_FALSE(asked());
  gil.unlock();
  waiter.join();
}

// main     lock ─────── unlock                    (asked? no)       (asked? yes)
// other          3 ms          try ─ holds ─────────────────────────────── unlock
// waiter   lock ··············· slow to wake ····· 5 ms ······· 10 ms: asks ··· has it
TEST_CASE_METHOD(manual_gil_test, "a waiter does not ask in an interval in which the lock switched",
                 "[timed_gil]") {
  gil.lock();
  auto waiter = taker();
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(3ms);
  time_machine::close_gate();
  gil.unlock();
  std::atomic<bool> holds{false};
  std::atomic<bool> leave{false};
  std::thread other([&] {
    holds = gil.try_lock();
    await([&] { return leave.load(); });
    gil.unlock();
  });
  await([&] { return holds.load(); });
  time_machine::advance(2ms);
  time_machine::open_gate();
  await([] { return time_machine::waits_started() == 2; });
  CHECK_FALSE(asked());
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 3; });
  CHECK(asked());
  leave = true;
  other.join();
  waiter.join();
}

// main     lock ─────── unlock ─ lock ───────────── (asked? yes)
// waiter   lock ···· 3 ms ··· slow to wake ··· 5 ms: asks
TEST_CASE_METHOD(manual_gil_test,
                 "a waiter asks after an interval in which the holder came back alone",
                 "[timed_gil]") {
  gil.lock();
  auto waiter = taker();
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(3ms);
  time_machine::close_gate();
  gil.unlock();
  gil.lock();
  time_machine::advance(2ms);
  time_machine::open_gate();
  await([] { return time_machine::waits_started() == 2; });
  CHECK(asked());
  gil.unlock();
  waiter.join();
}

TEST_CASE_METHOD(manual_gil_test, "the switch interval can be set for waits that begin later",
                 "[timed_gil]") {
  gil.lock();
  std::atomic<bool> leave{false};
  auto first = taker(leave);
  await([] { return time_machine::sleepers() == 1; });
  gil.set_switch_interval(20ms);
  CHECK(gil.switch_interval() == 20ms);
  time_machine::advance(5ms);  // the interval at which the first one began to wait
  await([] { return time_machine::waits_started() == 2; });
  CHECK(asked());
  gil.unlock();
  await([&] { return gil.is_locked(); });

  auto second = taker();
  await([] { return time_machine::sleepers() == 1; });
  const auto waits = time_machine::waits_started();
  time_machine::advance(20ms - 1ns);
  CHECK(time_machine::waits_started() == waits);
  CHECK(time_machine::sleepers() == 1);
  CHECK_FALSE(asked());
  time_machine::advance(1ns);
  await([&] { return time_machine::waits_started() == waits + 1; });
  CHECK(asked());
  leave = true;
  first.join();
  second.join();
}

TEST_CASE("the switch interval can be given to the constructor", "[timed_gil]") {
  conch::timed_gil gil(1ms);
  CHECK(gil.switch_interval() == 1ms);
}

// On the real clock: a bound from below.
//
// main     lock ────────────────────── (asked)
// waiter        lock ··· interval ··· asks
TEST_CASE("on the real clock too a waiter asks after the interval and no sooner", "[timed_gil]") {
  // The longer one is longer than any wait that the platform's condition does not end by itself.
  const auto interval = GENERATE(20ms, 3 * conch::posix_platform::condition::heal_period);
  CAPTURE(interval.count());
  conch::timed_gil gil(interval);
  gil.lock();
  const auto before = std::chrono::steady_clock::now();
  std::thread waiter([&] {
    gil.lock();
    gil.unlock();
  });
  await([&] { return gil.request().standing(); });
  CHECK(std::chrono::steady_clock::now() - before >= interval);
  gil.unlock();
  waiter.join();
}

// holder   lock ───────── unlock ····· (not back) ········· returns
// waiter   lock ··· asks ······ slow to wake ··········· has it ─────
TEST_CASE_METHOD(manual_gil_test,
                 "a release at which a request stands returns only when another has the lock",
                 "[timed_gil]") {
  REQUIRE(gil.forced_switching());
  std::atomic<bool> let_go{false};
  std::atomic<bool> returned{false};
  std::thread holder([&] {
    gil.lock();
    await([&] { return let_go.load(); });
    gil.unlock();
    returned = true;
  });
  await([&] { return gil.is_locked(); });
  std::atomic<bool> leave{false};
  auto waiter = taker(leave);
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 2; });
  REQUIRE(asked());

  time_machine::close_gate();
  let_go = true;
  await([&] { return time_machine::sleepers() == 2 || returned; });
  CHECK_FALSE(returned);
  CHECK_FALSE(gil.is_locked());
  time_machine::open_gate();
  holder.join();
  CHECK(gil.is_locked());
  leave = true;
  waiter.join();
}

// main     lock ────────── unlock ─ (free) ─ open
// waiter   lock ··· asks ···· slow to wake ····· has it
TEST_CASE_METHOD(manual_gil_test,
                 "without forced switching a release returns though nobody has taken the lock",
                 "[timed_gil]") {
  gil.set_forced_switching(false);
  CHECK_FALSE(gil.forced_switching());
  gil.lock();
  auto waiter = taker();
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 2; });
  REQUIRE(asked());
  time_machine::close_gate();
  const auto switches = gil.switch_number();
  gil.unlock();
  CHECK_FALSE(gil.is_locked());
  CHECK(gil.switch_number() == switches);
  time_machine::open_gate();
  waiter.join();
}

TEST_CASE_METHOD(manual_gil_test, "a release at which nobody has asked does not wait for a switch",
                 "[timed_gil]") {
  gil.lock();
  auto waiter = taker();
  await([] { return time_machine::sleepers() == 1; });
  time_machine::close_gate();
  gil.unlock();
  CHECK_FALSE(gil.is_locked());
  time_machine::open_gate();
  waiter.join();
}

// holder   lock ───────── unlock ·················· returns
// waiter   try_lock_for(12 ms) ─ asks ─ slow ─ 12 ms: has it
TEST_CASE_METHOD(manual_gil_test,
                 "a waiter whose deadline comes while a releaser waits for it takes the lock",
                 "[timed_gil]") {
  std::atomic<bool> let_go{false};
  std::thread holder([&] {
    gil.lock();
    await([&] { return let_go.load(); });
    gil.unlock();
  });
  await([&] { return gil.is_locked(); });
  bool acquired = false;
  std::thread waiter([&] {
    acquired = gil.try_lock_for(12ms);
    if (acquired) gil.unlock();
  });
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 2; });
  time_machine::close_gate();
  let_go = true;
  await([] { return time_machine::sleepers() == 2; });
  time_machine::advance(7ms);
  time_machine::open_gate();
  holder.join();
  waiter.join();
  CHECK(acquired);
  CHECK_FALSE(gil.is_locked());
}

// main     lock ────────────────────────────── checkpoint: false ─ unlock
// waiter   try_lock_for(12 ms) ··· 5 ms: asks ··· 12 ms: withdraws
TEST_CASE_METHOD(manual_gil_test, "a waiter that times out withdraws its drop request",
                 "[timed_gil]") {
  gil.lock();
  bool acquired = true;
  std::thread waiter([&] { acquired = gil.try_lock_for(12ms); });
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 2; });
  CHECK(asked());
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 3; });
  CHECK(asked());
  time_machine::advance(2ms);
  waiter.join();
  CHECK_FALSE(acquired);
  CHECK_FALSE(asked());
  CHECK_FALSE(gil.checkpoint());
  CHECK(gil.waiters() == 0);
  CHECK(gil.observer()[lock_event::wait_abandoned] == 1);
  gil.unlock();
}

// main     lock ─────────────────────────── (asked? yes) ─ checkpoint ··· true
// first    lock ····················· 5 ms: asks ················· has it
// second   try_lock_for(12 ms) ······ 5 ms: asks ··· 12 ms: gives up
TEST_CASE_METHOD(manual_gil_test,
                 "a request that two waiters made stands when one of them gives up",
                 "[timed_gil]") {
  gil.lock();
  bool had_it = false;
  std::thread first([&] {
    gil.lock();
    had_it = true;
    gil.unlock();
  });
  bool second_had_it = true;
  std::thread second([&] { second_had_it = gil.try_lock_for(12ms); });
  await([] { return time_machine::sleepers() == 2; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 4; });
  CHECK(asked());
  CHECK(gil.observer()[lock_event::drop_requested] == 1);
  time_machine::advance(7ms);
  second.join();
  CHECK_FALSE(second_had_it);
  CHECK(asked());
  CHECK(gil.checkpoint());
  CHECK(had_it);
  gil.unlock();
  first.join();
}

// main     lock ───────────────── (asked? yes) ─────────── (asked? no) ─ unlock
// first    try_lock_for(12 ms) ─ asks ─ 12 ms: gives up
// second   try_lock_for(14 ms) ─ asks ────────────────── 14 ms: gives up
TEST_CASE_METHOD(manual_gil_test, "a request is withdrawn when the last who made it gives up",
                 "[timed_gil]") {
  gil.lock();
  std::thread first([&] { (void)gil.try_lock_for(12ms); });
  std::thread second([&] { (void)gil.try_lock_for(14ms); });
  await([] { return time_machine::sleepers() == 2; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 4; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 6; });
  time_machine::advance(2ms);
  first.join();
  CHECK(asked());
  time_machine::advance(2ms);
  second.join();
  CHECK_FALSE(asked());
  gil.unlock();
}

// main     lock ────────── checkpoint ··············· true
// a, b     lock ··· both ask ····· one has it (asked? no) ─ unlock
TEST_CASE_METHOD(manual_gil_test, "a request is over when another thread has the lock",
                 "[timed_gil]") {
  gil.lock();
  int asked_of_newcomer = 0;
  const auto take_and_look = [&] {
    gil.lock();
    if (asked()) ++asked_of_newcomer;
    gil.unlock();
  };
  std::thread a(take_and_look);
  std::thread b(take_and_look);
  await([] { return time_machine::sleepers() == 2; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 4; });
  CHECK(gil.checkpoint());
  gil.unlock();
  a.join();
  b.join();
  CHECK(asked_of_newcomer == 0);
}

// main     lock ─ yield: false ─ (waits: 1) ─ yield ······ true ─ unlock
// waiter                       lock ··················· has it ─ unlock
TEST_CASE_METHOD(manual_gil_test, "a yield tells the observer if somebody waits", "[timed_gil]") {
  gil.lock();
  CHECK_FALSE(gil.yield());
  CHECK(gil.observer()[lock_event::forced_switch] == 0);
  auto waiter = taker();
  await([] { return time_machine::sleepers() == 1; });
  CHECK(gil.yield());
  CHECK(gil.observer()[lock_event::forced_switch] == 1);
  gil.unlock();
  waiter.join();
}

TEST_CASE("switch_number counts switches only when the holder differs from the last",
          "[timed_gil]") {
  conch::timed_gil gil;
  gil.lock();
  gil.unlock();
  const auto start = gil.switch_number();
  for (int i = 0; i < 5; ++i) {
    gil.lock();
    CHECK_FALSE(gil.yield());
    gil.unlock();
  }
  CHECK(gil.switch_number() == start);
  std::thread([&] {
    for (int i = 0; i < 5; ++i) {
      gil.lock();
      gil.unlock();
    }
  }).join();
  CHECK(gil.switch_number() == start + 1);
  REQUIRE(gil.try_lock());
  gil.unlock();
  CHECK(gil.switch_number() == start + 2);
}

namespace {
void count_call(void* calls) noexcept { ++*static_cast<std::atomic<int>*>(calls); }
}  // namespace

// main     lock ─────────────────────── unlock ·· returns
// a, b     lock ··· both ask: set, 1 call ··· one has it ─────────────────── unlock
//                                             the other asks: set, 2 calls ······· has it
TEST_CASE_METHOD(
    manual_gil_test,
    "a request is mirrored in the host's breaker, which is pushed each time that it leaves zero",
    "[timed_gil]") {
  std::atomic<int> calls{0};
  conch::breaker<manual_gil::platform> breaker(count_call, &calls);
  gil.request().mirror_in(breaker, 0b0100);

  gil.lock();
  CHECK(breaker.seen() == 0);
  std::atomic<bool> leave{false};
  auto a = taker(leave);
  auto b = taker(leave);
  await([] { return time_machine::sleepers() == 2; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 4; });
  CHECK(breaker.seen() == 0b0100);
  CHECK(calls == 1);
  gil.unlock();  // forced: a or b has it now, and the other waits on
  CHECK(breaker.seen() == 0);
  CHECK(calls == 1);
  await([&] {  // two intervals, since there was a switch in the first
    time_machine::advance(5ms);
    return calls == 2;
  });
  CHECK(breaker.seen() == 0b0100);
  CHECK(asked());
  leave = true;
  a.join();
  b.join();
  CHECK(breaker.seen() == 0);
  CHECK(calls == 2);
}

TEST_CASE_METHOD(manual_gil_test, "a waiter that gives up takes its bit out of the host's breaker",
                 "[timed_gil]") {
  conch::breaker<manual_gil::platform> breaker;
  breaker.set(0b1001);
  gil.request().mirror_in(breaker, 0b0100);
  gil.lock();
  std::thread waiter([&] { (void)gil.try_lock_for(7ms); });
  await([] { return time_machine::sleepers() == 1; });
  time_machine::advance(5ms);
  await([] { return time_machine::waits_started() == 2; });
  CHECK(breaker.seen() == 0b1101);
  time_machine::advance(2ms);
  waiter.join();
  CHECK(breaker.seen() == 0b1001);
  gil.unlock();
}

// holder   lock ─ (asked) ─ unlock ············· on its way out
// waiter   lock ··· asks ············ has it ─ unlock ─ destroys the lock
TEST_CASE("the thread that a forced switch let in may destroy the lock", "[timed_gil]") {
  for (int i = 0; i < rounds(300); ++i) {
    auto gil = std::make_unique<conch::timed_gil>(1us);
    std::atomic<bool> held{false};
    std::thread holder([&held, &gil = *gil] {
      gil.lock();
      held = true;
      await([&] { return gil.request().standing(); });
      gil.unlock();
    });
    await([&] { return held.load(); });
    gil->lock();
    gil->unlock();
    gil.reset();
    holder.join();
  }
  SUCCEED("the sanitizers saw nothing");
}
