// SPDX-License-Identifier: MIT

// What every lock does as the standard's Lockable.

#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers

TEMPLATE_LIST_TEST_CASE("a lock is taken by lock and free again after unlock", "[lockable]",
                        all_locks) {
  TestType lock;
  lock.lock();
  CHECK_FALSE(another_thread_can_take(lock));
  lock.unlock();
  CHECK(another_thread_can_take(lock));
}

TEMPLATE_LIST_TEST_CASE("two threads never hold a lock at once", "[lockable]", all_locks) {
  TestType lock;
  long counter = 0;  // plain: a second holder would lose some of the increments
  std::atomic<int> inside{0};
  std::atomic<int> overlaps{0};
  const auto count = [&] {
    for (int i = 0; i < rounds(20'000); ++i) {
      lock.lock();
      if (inside.fetch_add(1, std::memory_order_relaxed) != 0) ++overlaps;
      counter = counter + 1;
      for (int pauses = i % 32; pauses != 0; --pauses) TestType::platform::relax();
      inside.fetch_sub(1, std::memory_order_relaxed);
      lock.unlock();
    }
  };
  std::thread other(count);
  count();
  other.join();
  CHECK(overlaps == 0);
  CHECK(counter == 2L * rounds(20'000));
}

TEMPLATE_LIST_TEST_CASE("a try takes a free lock", "[lockable]", all_locks) {
  TestType lock;
  REQUIRE(lock.try_lock());
  CHECK_FALSE(another_thread_can_take(lock));
  lock.unlock();
}

TEMPLATE_LIST_TEST_CASE("a try by another thread leaves a held lock alone", "[lockable]",
                        all_locks) {
  TestType lock;
  lock.lock();
  bool taken = true;
  std::thread([&] { taken = lock.try_lock(); }).join();
  CHECK_FALSE(taken);
  CHECK(lock.is_locked());
  lock.unlock();
  CHECK_FALSE(lock.is_locked());
}

// main     lock ─────────────── try ─ unlock
// waiter        lock ··································· has it
// another            (waits: 1) try, fails
TEMPLATE_LIST_TEST_CASE("a try fails on a lock that is held and waited for", "[lockable]",
                        all_locks) {
  TestType lock;
  lock.lock();
  std::thread waiter([&] {
    lock.lock();
    lock.unlock();
  });
  await_waiters(lock, 1);
  CHECK_FALSE(another_thread_can_take(lock));
  CHECK_FALSE(lock.try_lock());
  CHECK(lock.waiters() == 1);
  lock.unlock();
  waiter.join();
  CHECK(another_thread_can_take(lock));
}

// holder   lock ─ turn 1 ─ unlock            lock ─ turn 1 ─ unlock
// trier             sees it free, tries: taken ─ unlock ─ turn 0
TEMPLATE_LIST_TEST_CASE("a try never fails once the lock is free and stays free", "[lockable]",
                        all_locks) {
  TestType lock;
  std::atomic<int> turn{0};
  int refused = 0;
  std::thread holder([&] {
    for (int i = 0; i < rounds(10'000); ++i) {
      lock.lock();
      turn = 1;
      lock.unlock();
      await([&] { return turn == 0; });
    }
  });
  for (int i = 0; i < rounds(10'000); ++i) {
    await([&] { return turn == 1 && !lock.is_locked(); });
    if (lock.try_lock())
      lock.unlock();
    else
      ++refused;
    turn = 0;
  }
  holder.join();
  CHECK(refused == 0);
}

// main     lock ─── (waits: 3) ─ unlock
// a, b, c  lock ·············· each has it once
TEMPLATE_LIST_TEST_CASE("every thread that waits for a lock gets it when its holders let go",
                        "[lockable]", all_locks) {
  TestType lock;
  int holders = 0;
  lock.lock();
  const auto take_once = [&] {
    lock.lock();
    ++holders;
    lock.unlock();
  };
  std::thread a(take_once);
  std::thread b(take_once);
  std::thread c(take_once);
  await_waiters(lock, 3);
  CHECK(holders == 0);
  lock.unlock();
  a.join();
  b.join();
  c.join();
  CHECK(holders == 3);
  CHECK(lock.waiters() == 0);
}

TEMPLATE_LIST_TEST_CASE("an exception that leaves a guard's scope frees the lock", "[lockable]",
                        all_locks) {
  TestType lock;
  const auto fail_inside = [&] {
    const std::lock_guard guard(lock);
    throw std::runtime_error("inside");
  };
  CHECK_THROWS_AS(fail_inside(), std::runtime_error);
  CHECK(another_thread_can_take(lock));
}

TEMPLATE_LIST_TEST_CASE("std::unique_lock takes, tries, times and frees a lock", "[lockable]",
                        all_locks) {
  TestType lock;
  {
    std::unique_lock guard(lock);
    CHECK(lock.is_locked());
    guard.unlock();
    CHECK_FALSE(lock.is_locked());
    CHECK(guard.try_lock());
  }
  CHECK_FALSE(lock.is_locked());
  {
    const std::unique_lock guard(lock, std::chrono::milliseconds(1));
    CHECK(guard.owns_lock());
    bool another = true;
    std::thread([&] { another = std::unique_lock(lock, std::try_to_lock).owns_lock(); }).join();
    CHECK_FALSE(another);
  }
  CHECK_FALSE(lock.is_locked());
}

// one      a ─ b ─ both        a ─ b ─ both
// other    b ─ a ─ both        b ─ a ─ both
TEMPLATE_LIST_TEST_CASE("std::scoped_lock takes two locks in opposite orders without a deadlock",
                        "[lockable]", all_locks) {
  TestType a;
  TestType b;
  int counter = 0;
  std::thread other([&] {
    for (int i = 0; i < rounds(1'000); ++i) {
      const std::scoped_lock both(b, a);
      counter = counter + 1;
    }
  });
  for (int i = 0; i < rounds(1'000); ++i) {
    const std::scoped_lock both(a, b);
    counter = counter + 1;
  }
  other.join();
  CHECK(counter == 2 * rounds(1'000));
  CHECK_FALSE(a.is_locked());
  CHECK_FALSE(b.is_locked());
}

// main     ─ turn 1 ─ wait(turn 0) ·········· ─ turn 1 ─ …
// other    wait(turn 1) ····· ─ turn 0 ─ wait(turn 1) ··· …
TEMPLATE_LIST_TEST_CASE("std::condition_variable_any passes a turn between two holders",
                        "[lockable]", all_locks) {
  TestType lock;
  std::condition_variable_any changed;
  int turn = 0;
  int turns = 0;
  const auto play = [&](int own) {
    std::unique_lock guard(lock);
    for (int i = 0; i < rounds(500); ++i) {
      changed.wait(guard, [&] { return turn == own; });
      turn = 1 - own;
      ++turns;
      changed.notify_one();
    }
  };
  std::thread other(play, 1);
  play(0);
  other.join();
  CHECK(turns == 2 * rounds(500));
}

TEMPLATE_LIST_TEST_CASE("a thread other than the holder can unlock", "[lockable]",
                        locks_that<any_thread_unlocks>) {
  TestType lock;
  lock.lock();
  std::thread([&] { lock.unlock(); }).join();
  CHECK_FALSE(lock.is_locked());
  CHECK(another_thread_can_take(lock));
}

// main     lock ─ (waits: 1) ─ start another
// waiter        lock ····························· has it
// another                      unlock ─
TEMPLATE_LIST_TEST_CASE("an unlock by a thread other than the holder lets a waiter in",
                        "[lockable]", locks_that<any_thread_unlocks>) {
  TestType lock;
  lock.lock();
  bool had_it = false;
  std::thread waiter([&] {
    lock.lock();
    had_it = true;
    lock.unlock();
  });
  await_waiters(lock, 1);
  std::thread([&] { lock.unlock(); }).join();
  waiter.join();
  CHECK(had_it);
}
