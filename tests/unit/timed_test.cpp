// SPDX-License-Identifier: MIT

// Acquires with a deadline.

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using std::chrono::steady_clock;
using std::chrono::system_clock;

namespace {

/// What acquire(lock), on a thread of its own, returns for a lock that is held throughout.
template <class Lock, class Acquire>
bool gets_held_lock(Acquire acquire) {
  Lock lock;
  lock.lock();
  bool acquired = true;
  std::thread([&] { acquired = acquire(lock); }).join();
  lock.unlock();
  return acquired;
}

template <class Lock, class Acquire>
bool gets_free_lock(Acquire acquire) {
  Lock lock;
  const bool acquired = acquire(lock);
  if (acquired) lock.unlock();
  return acquired && !lock.is_locked();
}

/// True if acquire(lock) waits for a held lock and has it after the unlock.
///
///   main     lock ─── (waits: 1) ─ unlock
///   waiter        acquire ··············· has it
template <class Lock, class Acquire>
bool waits_for_unlock(Acquire acquire) {
  Lock lock;
  lock.lock();
  std::atomic<bool> returned{false};
  bool acquired = false;
  std::thread waiter([&] {
    acquired = acquire(lock);
    returned = true;
    if (acquired) lock.unlock();
  });
  await([&] { return lock.waiters() == 1 || returned; });
  const bool gave_up = returned;
  lock.unlock();
  waiter.join();
  return acquired && !gave_up;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a deadline in the past is one try", "[timed]", all_locks) {
  const auto try_past = [](auto past) {
    const auto acquire = [past](TestType& lock) { return lock.try_lock_until(past); };
    CHECK(gets_free_lock<TestType>(acquire));
    CHECK_FALSE(gets_held_lock<TestType>(acquire));
  };
  try_past(steady_clock::now());
  try_past(steady_clock::now() - 1h);
  try_past(steady_clock::time_point::min());
  try_past(system_clock::now() - 1h);
  try_past(system_clock::time_point::min());
}

TEMPLATE_LIST_TEST_CASE("a timeout that is not positive is one try", "[timed]", all_locks) {
  const auto try_for = [](auto timeout) {
    const auto acquire = [timeout](TestType& lock) { return lock.try_lock_for(timeout); };
    CHECK(gets_free_lock<TestType>(acquire));
    CHECK_FALSE(gets_held_lock<TestType>(acquire));
  };
  try_for(0ns);
  try_for(-1ns);
  try_for(std::chrono::nanoseconds::min());
  try_for(std::chrono::hours::min());
  try_for(std::chrono::duration<double>(-std::numeric_limits<double>::infinity()));
  try_for(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN()));
}

TEMPLATE_LIST_TEST_CASE("a timed acquire of a held lock does not return before its deadline",
                        "[timed]", all_locks) {
  const auto wait_for = [](auto timeout) {
    CHECK_FALSE(gets_held_lock<TestType>([timeout](TestType& lock) {
      const auto deadline = steady_clock::now() + timeout;
      const bool acquired = lock.try_lock_for(timeout);
      return acquired || steady_clock::now() < deadline;
    }));
    CHECK_FALSE(gets_held_lock<TestType>([timeout](TestType& lock) {
      const auto deadline = steady_clock::now() + timeout;
      const bool acquired = lock.try_lock_until(deadline);
      return acquired || steady_clock::now() < deadline;
    }));
    CHECK_FALSE(gets_held_lock<TestType>([timeout](TestType& lock) {
      const auto deadline = system_clock::now() + timeout;
      const bool acquired = lock.try_lock_until(deadline);
      return acquired || system_clock::now() < deadline;
    }));
  };
  wait_for(1ns);
  wait_for(1us);
  wait_for(999us);
  wait_for(12ms);   // longer than any interval in which a waiter looks up
  wait_for(120ms);  // … and than any that the platform's condition lasts
}

TEMPLATE_LIST_TEST_CASE(
    "an acquire with a timeout that no clock can represent waits for the unlock", "[timed]",
    all_locks) {
  const auto wait_for = [](auto timeout) {
    const auto acquire = [timeout](TestType& lock) { return lock.try_lock_for(timeout); };
    CHECK(waits_for_unlock<TestType>(acquire));
    CHECK(gets_free_lock<TestType>(acquire));
  };
  wait_for(steady_clock::duration::max());
  wait_for(std::chrono::microseconds::max());
  wait_for(std::chrono::hours::max());
  wait_for(std::chrono::duration<float>(std::numeric_limits<float>::max()));
  wait_for(std::chrono::duration<double>(1e300));
  wait_for(std::chrono::duration<double>(std::numeric_limits<double>::infinity()));
  wait_for(
      std::chrono::duration<long double, std::nano>(std::numeric_limits<long double>::infinity()));
}

TEMPLATE_LIST_TEST_CASE("an acquire with a deadline at the end of time waits for the unlock",
                        "[timed]", all_locks) {
  const auto wait_until = [](auto deadline) {
    const auto acquire = [deadline](TestType& lock) { return lock.try_lock_until(deadline); };
    CHECK(waits_for_unlock<TestType>(acquire));
    CHECK(gets_free_lock<TestType>(acquire));
  };
  wait_until(steady_clock::time_point::max());
  wait_until(steady_clock::time_point::max() - 1h);
  wait_until(system_clock::time_point::max());
  using fraction = std::chrono::duration<double>;
  wait_until(std::chrono::time_point<steady_clock, fraction>(fraction(1e300)));
  wait_until(std::chrono::time_point<system_clock, fraction>(
      fraction(std::numeric_limits<double>::infinity())));
  // In ticks of theirs the end is further away than the clock's own ticks can tell.
  wait_until(std::chrono::sys_seconds::max());
  wait_until(std::chrono::time_point<steady_clock, std::chrono::hours>::max());
  wait_until(std::chrono::file_clock::time_point::max());  // whose now() may be before its epoch
}

TEMPLATE_LIST_TEST_CASE("an acquire with a deadline before all times is one try", "[timed]",
                        all_locks) {
  const auto try_until = [](auto deadline) {
    const auto acquire = [deadline](TestType& lock) { return lock.try_lock_until(deadline); };
    CHECK_FALSE(gets_held_lock<TestType>(acquire));
    CHECK(gets_free_lock<TestType>(acquire));
  };
  using fraction = std::chrono::duration<double>;
  try_until(steady_clock::time_point::min());
  try_until(std::chrono::sys_seconds::min());
  try_until(std::chrono::time_point<steady_clock, fraction>(fraction(-1e300)));
  try_until(std::chrono::time_point<steady_clock, fraction>(
      fraction(std::numeric_limits<double>::quiet_NaN())));
}

namespace {

/// A clock by which a wait takes three times as long as by the monotonic one.
struct slow_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<slow_clock>;
  [[maybe_unused]] static constexpr bool is_steady = false;
  static time_point now() { return time_point(steady_clock::now().time_since_epoch() / 3); }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a deadline is one of its own clock, however that one goes", "[timed]",
                        all_locks) {
  CHECK_FALSE(gets_held_lock<TestType>([](TestType& lock) {
    const auto deadline = slow_clock::now() + 4ms;
    const bool acquired = lock.try_lock_until(deadline);
    return acquired || slow_clock::now() < deadline;
  }));
  CHECK(waits_for_unlock<TestType>(
      [](TestType& lock) { return lock.try_lock_until(slow_clock::now() + 24h); }));
}

TEMPLATE_LIST_TEST_CASE("a timed wait ends by the unlock and not by the clock", "[timed]",
                        all_locks) {
  CHECK(waits_for_unlock<TestType>([](TestType& lock) { return lock.try_lock_for(24h); }));
  CHECK(waits_for_unlock<TestType>(
      [](TestType& lock) { return lock.try_lock_until(steady_clock::now() + 24h); }));
  CHECK(waits_for_unlock<TestType>(
      [](TestType& lock) { return lock.try_lock_until(system_clock::now() + 24h); }));
}

// main     lock ──────── (gave up: 2) ─ unlock
// a, b          try_lock_for(3 ms) ··· give up
TEMPLATE_LIST_TEST_CASE("waiters that gave up are counted no more and take nothing", "[timed]",
                        all_locks) {
  TestType lock;
  lock.lock();
  std::atomic<int> acquired{0};
  const auto give_up = [&] {
    if (lock.try_lock_for(3ms)) ++acquired;
  };
  std::thread a(give_up);
  std::thread b(give_up);
  a.join();
  b.join();
  CHECK(acquired == 0);
  CHECK(lock.waiters() == 0);
  lock.unlock();
  CHECK_FALSE(lock.is_locked());
  CHECK(another_thread_can_take(lock));
}

// main     lock ──────────── (b gave up) ─ unlock
// a        lock ··································· has it
// b             try_lock_for(3 ms) ··· gives up
TEMPLATE_LIST_TEST_CASE("a waiter that gives up does not keep another from the lock", "[timed]",
                        all_locks) {
  TestType lock;
  lock.lock();
  bool had_it = false;
  std::thread a([&] {
    lock.lock();
    had_it = true;
    lock.unlock();
  });
  await_waiters(lock, 1);
  bool b_had_it = true;
  std::thread([&] { b_had_it = lock.try_lock_for(3ms); }).join();
  CHECK_FALSE(b_had_it);
  CHECK(lock.waiters() == 1);
  lock.unlock();
  a.join();
  CHECK(had_it);
}
