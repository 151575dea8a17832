// SPDX-License-Identifier: MIT

// Two threads and a plain counter, guarded by a lock or, to see that ThreadSanitizer notices, by
// nothing. The lock is the only thing that orders the two: the threads find one another by relaxed
// loads and stores.
//
//   a   acquire ─ (b waits, or is about to try) ─ count ─ release
//   b                    acquire ····························· count ─ release

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string_view>
#include <thread>

namespace {

using conch::testing::await;

/// How the lock passes from one to the other.
struct passage {
  std::string_view way;

  template <class Lock>
  void acquire(Lock& lock) const {
    if (way == "timed")
      await([&] { return lock.try_lock_for(std::chrono::hours(1)); });
    else if (way == "try")
      await([&] { return lock.try_lock(); });
    else
      lock.lock();
  }

  template <class Lock>
  void release(Lock& lock) const {
    // Without a pause, which would be one of the holder's.
    while (way == "checkpoint" && !lock.checkpoint()) {
    }
    while (way == "yield" && !lock.yield()) {
    }
    lock.unlock();
  }

  [[nodiscard]] bool has_waiter() const { return way != "try"; }
};

template <class Lock>
int count_on_two_threads(passage by, bool locked) {
  Lock lock;
  long counter = 0;
  std::atomic<bool> begun{false};
  std::thread a([&] {
    if (locked) lock.lock();
    begun.store(true, std::memory_order_relaxed);
    if (locked && by.has_waiter()) conch::testing::await_waiters(lock, 1);
    counter = counter + 1;
    if (locked) by.release(lock);
  });
  std::thread b([&] {
    await([&] { return begun.load(std::memory_order_relaxed); });
    if (locked) by.acquire(lock);
    counter = counter + 1;
    if (locked) lock.unlock();
  });
  a.join();
  b.join();
  return counter == 2 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fputs("usage: canary-race LOCK lock|timed|try|checkpoint|yield locked|unlocked\n", stderr);
    return 2;
  }
  const std::string_view name = argv[1];
  const passage by{argv[2]};
  const bool locked = std::string_view(argv[3]) == "locked";
  if (name == "pthread_lock") return count_on_two_threads<conch::pthread_lock>(by, locked);
  if (name == "sem_lock") return count_on_two_threads<conch::sem_lock>(by, locked);
  if (name == "tick_gil") return count_on_two_threads<conch::tick_gil>(by, locked);
  if (name == "tick_gil_over_pthread_lock")
    return count_on_two_threads<conch::basic_tick_gil<conch::pthread_lock>>(by, locked);
  if (name == "timed_gil") return count_on_two_threads<conch::timed_gil>(by, locked);
  if (name == "fmq_lock") return count_on_two_threads<conch::fmq_lock>(by, locked);
  std::fprintf(stderr, "no lock is called %s\n", argv[1]);
  return 2;
}
