// SPDX-License-Identifier: MIT

// What every lock adds to the standard's TimedLockable: checkpoints, yields, snapshots, events.

#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using Catch::Matchers::ContainsSubstring;
using conch::lock_event;

static_assert(std::string_view(conch::pthread_lock::traits.name) == "pthread_lock");
static_assert(std::string_view(conch::sem_lock::traits.name) == "sem_lock");
static_assert(std::string_view(conch::tick_gil::traits.name) == "tick_gil");
static_assert(std::string_view(conch::timed_gil::traits.name) == "timed_gil");
static_assert(std::string_view(conch::fmq_lock::traits.name) == "fmq_lock");

static_assert(conch::pthread_lock::traits.any_thread_unlocks);
static_assert(conch::sem_lock::traits.any_thread_unlocks);
static_assert(!conch::tick_gil::traits.any_thread_unlocks);
static_assert(!conch::timed_gil::traits.any_thread_unlocks);
static_assert(!conch::fmq_lock::traits.any_thread_unlocks);

static_assert(!conch::pthread_lock::traits.checkpoint_switches);
static_assert(!conch::sem_lock::traits.checkpoint_switches);
static_assert(conch::tick_gil::traits.checkpoint_switches);
static_assert(conch::timed_gil::traits.checkpoint_switches);
static_assert(conch::fmq_lock::traits.checkpoint_switches);

static_assert(conch::pthread_lock::traits.fairness == conch::fairness::none);
static_assert(conch::sem_lock::traits.fairness == conch::fairness::none);
static_assert(conch::tick_gil::traits.fairness == conch::fairness::none);
static_assert(conch::timed_gil::traits.fairness == conch::fairness::none);
static_assert(conch::fmq_lock::traits.fairness == conch::fairness::time_fair);

static_assert(!conch::owned_lock<conch::pthread_lock> && !conch::owned_lock<conch::sem_lock>);
static_assert(conch::owned_lock<conch::tick_gil> && conch::owned_lock<conch::timed_gil>);

TEMPLATE_LIST_TEST_CASE("a lock's traits agree with the concepts that it satisfies",
                        "[cooperative]", all_locks) {
  STATIC_REQUIRE(conch::cooperative_lock<TestType>);
  STATIC_REQUIRE(TestType::traits.interruptible == conch::interruptible_lock<TestType>);
  STATIC_REQUIRE(TestType::traits.any_thread_unlocks != conch::owned_lock<TestType>);
}

TEMPLATE_LIST_TEST_CASE("checkpoint and yield return false while nobody waits", "[cooperative]",
                        all_locks) {
  TestType lock;
  lock.lock();
  int switches = 0;
  for (int i = 0; i < 1'000; ++i) {
    if (lock.checkpoint()) ++switches;
    if (lock.yield()) ++switches;
  }
  CHECK(switches == 0);
  CHECK(lock.is_locked());
  CHECK_FALSE(another_thread_can_take(lock));
  lock.unlock();
}

// main     lock ─ (waits: 1) ─ yield ······ true ─ unlock
// waiter        lock ·················· has it ─ unlock
TEMPLATE_LIST_TEST_CASE("a yield passes a lock with a handoff to its waiter", "[cooperative]",
                        handoff_locks) {
  TestType lock;
  lock.lock();
  bool had_it = false;
  std::thread waiter([&] {
    lock.lock();
    had_it = true;
    lock.unlock();
  });
  await_waiters(lock, 1);
  CHECK(lock.yield());
  CHECK(had_it);
  lock.unlock();
  waiter.join();
}

namespace {

/// Runs give_way(lock) on a holder, beside two threads that take the lock again and again, until it
/// has returned true a few times. True if each time it told rightly whether another had the lock.
///
///   holder   ─ give_way ─ give_way ··········· true ─ …
///   others   lock ······················ ─ unlock ─ lock …
template <class Lock, class GiveWay>
bool tells_of_every_switch(GiveWay give_way) {
  Lock lock;
  lock.lock();
  long turns_of_others = 0;
  std::atomic<bool> stop{false};
  const auto take_turns = [&] {
    while (!stop) {
      lock.lock();
      ++turns_of_others;
      lock.unlock();
    }
  };
  std::thread a(take_turns);
  std::thread b(take_turns);
  await_waiters(lock, 2);

  bool right = true;
  for (int seen = 0; seen < 3;) {
    const auto before = turns_of_others;
    const bool told = give_way(lock);
    right = right && told == (turns_of_others != before);
    if (told) ++seen;
  }
  stop = true;
  lock.unlock();
  a.join();
  b.join();
  return right;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a yield returns true exactly if another thread held the lock",
                        "[cooperative]", all_locks) {
  CHECK(tells_of_every_switch<TestType>([](TestType& lock) { return lock.yield(); }));
}

TEMPLATE_LIST_TEST_CASE("a checkpoint returns true exactly if another thread held the lock",
                        "[cooperative]", locks_that<checkpoint_switches>) {
  CHECK(tells_of_every_switch<TestType>([](TestType& lock) { return lock.checkpoint(); }));
}

TEMPLATE_LIST_TEST_CASE("a lock whose checkpoint does not switch keeps its waiters out",
                        "[cooperative]", all_locks) {
  if constexpr (!TestType::traits.checkpoint_switches) {
    TestType lock;
    lock.lock();
    std::atomic<bool> had_it{false};
    std::thread waiter([&] {
      lock.lock();
      had_it = true;
      lock.unlock();
    });
    await_waiters(lock, 1);
    bool switched = false;
    for (int i = 0; i < 1'000; ++i) switched = lock.checkpoint() || switched;
    CHECK_FALSE(switched);
    CHECK_FALSE(had_it);
    lock.unlock();
    waiter.join();
  }
}

TEMPLATE_LIST_TEST_CASE("a lock shows whether it is locked", "[cooperative]", all_locks) {
  TestType lock;
  CHECK_FALSE(lock.is_locked());
  lock.lock();
  CHECK(lock.is_locked());
  lock.unlock();
  CHECK_FALSE(lock.is_locked());
}

TEMPLATE_LIST_TEST_CASE("a lock shows how many threads wait for it", "[cooperative]", all_locks) {
  TestType lock;
  CHECK(lock.waiters() == 0);
  lock.lock();
  CHECK(lock.waiters() == 0);
  std::thread waiters[3];
  for (std::size_t i = 0; i < 3; ++i) {
    waiters[i] = std::thread([&] {
      lock.lock();
      lock.unlock();
    });
    await_waiters(lock, i + 1);
    CHECK(lock.waiters() == i + 1);
  }
  lock.unlock();
  for (auto& waiter : waiters) waiter.join();
  CHECK(lock.waiters() == 0);
}

TEMPLATE_LIST_TEST_CASE("a lock knows whether the caller holds it", "[cooperative]",
                        locks_that<is_owned>) {
  TestType lock;
  CHECK_FALSE(lock.held_by_caller());
  lock.lock();
  CHECK(lock.held_by_caller());
  bool another = true;
  std::thread([&] { another = lock.held_by_caller(); }).join();
  CHECK_FALSE(another);
  CHECK_FALSE(lock.yield());
  CHECK(lock.held_by_caller());
  lock.unlock();
  CHECK_FALSE(lock.held_by_caller());
  REQUIRE(lock.try_lock());
  CHECK(lock.held_by_caller());
  lock.unlock();
  REQUIRE(lock.try_lock_for(std::chrono::milliseconds(1)));
  CHECK(lock.held_by_caller());
  lock.unlock();
}

// main     lock ─ (waits: 1) ─ unlock ─ held by caller? no
// waiter        lock ················ held by caller? yes ─ unlock
TEMPLATE_LIST_TEST_CASE("a lock that went to a waiter is held by it and by nobody else",
                        "[cooperative]", locks_that<is_owned>) {
  TestType lock;
  lock.lock();
  bool waiter_holds = false;
  std::atomic<bool> looked{false};
  std::atomic<bool> has_it{false};
  std::thread waiter([&] {
    lock.lock();
    waiter_holds = lock.held_by_caller();
    has_it = true;
    await([&] { return looked.load(); });
    lock.unlock();
  });
  await_waiters(lock, 1);
  lock.unlock();
  await([&] { return has_it.load(); });
  CHECK_FALSE(lock.held_by_caller());
  looked = true;
  waiter.join();
  CHECK(waiter_holds);
}

TEMPLATE_LIST_TEST_CASE("a lock describes itself by its name, its holder and its waiters",
                        "[cooperative]", all_locks) {
  TestType lock;
  const auto free = lock.describe();
  CHECK_THAT(free, ContainsSubstring(TestType::traits.name) && ContainsSubstring("free"));
  lock.lock();
  const auto held = lock.describe();
  CHECK_THAT(held, ContainsSubstring(TestType::traits.name) && ContainsSubstring("held"));
  CHECK_THAT(held, !ContainsSubstring("free"));
  CHECK_THAT(held, ContainsSubstring("0 waiting"));
  std::thread waiter([&] {
    lock.lock();
    lock.unlock();
  });
  await_waiters(lock, 1);
  CHECK_THAT(lock.describe(), ContainsSubstring("1 waiting") && ContainsSubstring("held"));
  lock.unlock();
  waiter.join();
}

TEMPLATE_LIST_TEST_CASE("no acquire and no unlock changes errno", "[cooperative]", all_locks) {
  constexpr int sentinel = ENOTTY;  // none of the calls below could leave this one
  TestType lock;
  const auto keeps_errno = [&](auto call) {
    errno = sentinel;
    call();
    return errno == sentinel;
  };
  CHECK(keeps_errno([&] { lock.lock(); }));
  CHECK(keeps_errno([&] { lock.checkpoint(); }));
  CHECK(keeps_errno([&] { lock.yield(); }));

  bool kept = false;
  std::thread([&] { kept = keeps_errno([&] { (void)lock.try_lock(); }); }).join();
  CHECK(kept);
  std::thread([&] {
    kept = keeps_errno([&] { (void)lock.try_lock_for(std::chrono::milliseconds(3)); });
  }).join();
  CHECK(kept);
  CHECK(keeps_errno([&] { (void)lock.is_locked(); }));

  bool kept_by_wait = false;
  bool kept_by_timed_wait = false;
  std::thread waiter([&] {
    kept_by_wait = keeps_errno([&] { lock.lock(); });
    lock.unlock();
  });
  std::thread timed_waiter([&] {
    kept_by_timed_wait = keeps_errno([&] { (void)lock.try_lock_for(std::chrono::hours(1)); });
    lock.unlock();
  });
  await_waiters(lock, 2);
  CHECK(keeps_errno([&] { lock.checkpoint(); }));
  CHECK(keeps_errno([&] { lock.unlock(); }));
  waiter.join();
  timed_waiter.join();
  CHECK(kept_by_wait);
  CHECK(kept_by_timed_wait);

  CHECK(keeps_errno([&] { (void)lock.try_lock(); }));
  CHECK(keeps_errno([&] { lock.unlock(); }));
}

TEMPLATE_LIST_TEST_CASE("an observer hears of every acquire, release, wait and abandoned wait",
                        "[cooperative]", counted_locks) {
  TestType lock;
  auto& counts = lock.observer();
  lock.lock();
  CHECK(counts[lock_event::acquired] == 1);
  CHECK(counts[lock_event::wait_started] == 0);

  std::thread([&] { (void)lock.try_lock(); }).join();
  CHECK(counts[lock_event::acquired] == 1);
  CHECK(counts[lock_event::wait_started] == 0);

  while (counts[lock_event::wait_started] == 0)  // where the time is over at once, there is no wait
    std::thread([&] { (void)lock.try_lock_for(std::chrono::milliseconds(50)); }).join();
  CHECK(counts[lock_event::wait_started] == 1);
  CHECK(counts[lock_event::wait_abandoned] == 1);

  std::thread waiter([&] {
    lock.lock();
    lock.unlock();
  });
  await_waiters(lock, 1);
  CHECK(counts[lock_event::wait_started] == 2);
  CHECK(counts[lock_event::released] == 0);
  lock.unlock();
  waiter.join();
  CHECK(counts[lock_event::acquired] == 2);
  CHECK(counts[lock_event::released] == 2);
  CHECK(counts[lock_event::wait_abandoned] == 1);
}
