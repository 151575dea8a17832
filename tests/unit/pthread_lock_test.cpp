// SPDX-License-Identifier: MIT

// The algorithm of pthread_lock, on a platform whose conditions wake nobody by themselves.

#include <conch/pthread_lock.hpp>

#include "../support/locks.hpp"
#include "../support/manual_platform.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using time_machine = manual_platform;

namespace {
struct manual_pthread_lock_test {
  manual_pthread_lock_test() { time_machine::reset(); }
  conch::basic_pthread_lock<manual_platform> lock;
};
}  // namespace

// main     lock ─ (asleep: 1) ─ unlock
// waiter        lock ················ has it
TEST_CASE_METHOD(manual_pthread_lock_test, "each unlock signals to a waiter", "[pthread_lock]") {
  lock.lock();
  bool had_it = false;
  std::thread waiter([&] {
    lock.lock();
    had_it = true;
    lock.unlock();
  });
  await([] { return time_machine::sleepers() == 1; });
  lock.unlock();
  waiter.join();
  CHECK(had_it);
}

// main     lock ───────── unlock ── (deadline passes) ── open
// waiter   try_lock_for(5 ms) ···· slow to wake ············ has it
TEST_CASE_METHOD(manual_pthread_lock_test,
                 "a waiter that was signalled before its deadline takes the lock after it",
                 "[pthread_lock]") {
  lock.lock();
  bool acquired = false;
  std::thread waiter([&] {
    acquired = lock.try_lock_for(5ms);
    if (acquired) lock.unlock();
  });
  await([] { return time_machine::sleepers() == 1; });
  time_machine::close_gate();
  lock.unlock();
  time_machine::advance(10ms);
  time_machine::open_gate();
  waiter.join();
  CHECK(acquired);
}

// main     lock ──────── unlock ─ lock ──────── (asleep: 1) ─ unlock
// waiter   lock ········ woken: in vain, sleeps again ············· has it
TEST_CASE_METHOD(manual_pthread_lock_test, "a waiter that another was faster than waits on",
                 "[pthread_lock]") {
  lock.lock();
  bool had_it = false;
  std::thread waiter([&] {
    lock.lock();
    had_it = true;
    lock.unlock();
  });
  await([] { return time_machine::sleepers() == 1; });
  time_machine::close_gate();
  lock.unlock();
  lock.lock();
  time_machine::open_gate();
  await([] { return time_machine::waits_started() == 2; });
  CHECK_FALSE(had_it);
  CHECK(lock.waiters() == 1);
  lock.unlock();
  waiter.join();
  CHECK(had_it);
}

// holder   lock ─ unlock: free, but still signalling ········ returns
// other             sees it free ─ try ·························· true
TEST_CASE_METHOD(manual_pthread_lock_test,
                 "a try takes a lock that is free though its unlock is not over yet",
                 "[pthread_lock]") {
  time_machine::hold_signals();
  std::thread holder([&] {
    lock.lock();
    lock.unlock();
  });
  await([] { return time_machine::held_signals() == 1; });
  REQUIRE_FALSE(lock.is_locked());
  std::atomic<bool> about_to_try{false};
  bool taken = false;
  std::thread other([&] {
    about_to_try = true;
    taken = lock.try_lock();
    if (taken) lock.unlock();
  });
  await([&] { return about_to_try.load(); });
  // Time for a try that would not wait for the unlock; one that does is not seen to.
  for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
  time_machine::release_signals();
  holder.join();
  other.join();
  CHECK(taken);
}
