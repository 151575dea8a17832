// SPDX-License-Identifier: MIT

// What a forked child, in which only the forking thread is left, makes of a lock.

#include "../support/child_process.hpp"
#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;

namespace {

enum outcome : int {
  all_well,
  waiters_left,
  wrong_state,
  wrong_holder,
  not_acquired,
  switched_to_nobody,
  no_use_to_others,
};

/// The lock must serve the caller, and then pass from the caller to another thread.
template <class Lock>
outcome use_in_child(Lock& lock) {
  for (int i = 0; i < 300; ++i) {
    lock.lock();
    if (lock.checkpoint() || lock.yield()) return switched_to_nobody;
    lock.unlock();
    if (!lock.try_lock_for(1h)) return not_acquired;
    lock.unlock();
  }
  if (under_tsan) return all_well;  // it cannot follow threads that a forked child starts
  lock.lock();
  bool had_it = false;
  std::thread other([&] {
    lock.lock();
    had_it = true;
    lock.unlock();
  });
  await_waiters(lock, 1);
  lock.unlock();
  other.join();
  return had_it && !lock.is_locked() ? all_well : no_use_to_others;
}

/// In the child: the lock is reset as held by the caller or as free, and then used.
template <class Lock>
outcome reset_and_use(Lock& lock, bool held) {
  lock.reset_after_fork(held);
  if (lock.waiters() != 0) return waiters_left;
  if (lock.is_locked() != held) return wrong_state;
  if constexpr (conch::owned_lock<Lock>)
    if (lock.held_by_caller() != held) return wrong_holder;
  if (held) {
    if (lock.try_lock()) return not_acquired;
    if (lock.checkpoint() || lock.yield()) return switched_to_nobody;
    lock.unlock();
  }
  if (!lock.try_lock()) return not_acquired;
  lock.unlock();
  return use_in_child(lock);
}

/// Forks while another thread holds the lock and two wait for it.
///
///   holder   lock ──────────────────── unlock
///   a, b          lock ·············· each has it once
///   main          (waits: 2) fork ─
///   child                       reset ─ use ─ exit
template <class Lock>
child_end fork_beside_holder_and_waiters(bool held) {
  Lock lock;
  std::atomic<bool> forked{false};
  std::thread holder([&] {
    lock.lock();
    await([&] { return forked.load(); });
    lock.unlock();
  });
  await([&] { return lock.is_locked(); });
  const auto take_once = [&] {
    lock.lock();
    lock.unlock();
  };
  std::thread a(take_once);
  std::thread b(take_once);
  await_waiters(lock, 2);
  auto end = run_in_child([&] { return static_cast<int>(reset_and_use(lock, held)); });
  forked = true;
  holder.join();
  a.join();
  b.join();
  return end;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a child can free a lock that another thread held at the fork", "[fork]",
                        all_locks) {
  const auto end = fork_beside_holder_and_waiters<TestType>(false);
  INFO(end.describe());
  CHECK(end.exited_with(all_well));
}

TEMPLATE_LIST_TEST_CASE("a child can take over a lock that another thread held at the fork",
                        "[fork]", all_locks) {
  const auto end = fork_beside_holder_and_waiters<TestType>(true);
  INFO(end.describe());
  CHECK(end.exited_with(all_well));
}

// main     lock ─ (waits: 1) ─ fork ─ unlock
// waiter        lock ······················ has it
// child                           reset(held) ─ unlock ─ use ─ exit
TEMPLATE_LIST_TEST_CASE("a child keeps a lock that its own thread held at the fork", "[fork]",
                        all_locks) {
  TestType lock;
  lock.lock();
  std::thread waiter([&] {
    lock.lock();
    lock.unlock();
  });
  await_waiters(lock, 1);
  const auto end = run_in_child([&] { return static_cast<int>(reset_and_use(lock, true)); });
  lock.unlock();
  waiter.join();
  INFO(end.describe());
  CHECK(end.exited_with(all_well));
}

// a, b     lock ─ yield ─ yield ─ unlock ─ …      (wherever in the lock they are at the fork)
// main          fork ─ fork ─ fork ─ …
// child              reset ─ use ─ exit
TEMPLATE_LIST_TEST_CASE("a child can reset a lock whatever others did with it at the fork",
                        "[fork]", all_locks) {
  TestType lock;
  std::atomic<bool> stop{false};
  std::atomic<int> hammering{0};
  const auto hammer = [&] {
    ++hammering;
    while (!stop) {
      lock.lock();
      for (int i = 0; i < 20; ++i) lock.yield();
      lock.unlock();
      if (lock.try_lock_for(50us)) lock.unlock();
    }
  };
  std::thread a(hammer);
  std::thread b(hammer);
  // A thread that starts may be inside a sanitizer's allocator, which a child could not use then.
  await([&] { return hammering == 2; });
  for (int i = 0; i < rounds(50); ++i) {
    const bool held = i % 2 == 0;
    const auto end = run_in_child([&] { return static_cast<int>(reset_and_use(lock, held)); });
    INFO(end.describe());
    CHECK(end.exited_with(all_well));
  }
  stop = true;
  a.join();
  b.join();
}
