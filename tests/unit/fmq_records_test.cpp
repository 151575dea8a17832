// SPDX-License-Identifier: MIT

// What an fmq_lock keeps of each thread, over the lives of threads and of locks.

#include <conch/fmq_lock.hpp>

#include "../support/child_process.hpp"
#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_test_macros.hpp>

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::fmq_lock;
using std::chrono::steady_clock;

namespace {

std::vector<std::unique_ptr<fmq_lock>> new_locks(int count) {
  std::vector<std::unique_ptr<fmq_lock>> locks(static_cast<std::size_t>(count));
  for (auto& lock : locks) lock = std::make_unique<fmq_lock>();
  return locks;
}

/// The caller, which holds the lock, passes it to another thread and gets it back, so that the lock
/// has records of both.
void pass_round(fmq_lock& lock) {
  std::thread other([&] {
    lock.lock();
    lock.unlock();
  });
  await_waiters(lock, 1);
  lock.yield();
  other.join();
}

/// The level of the only waiter, as the lock describes it.
std::string level_of_waiter(fmq_lock& lock) {
  const auto text = lock.describe();
  const auto at = text.find("level ");
  return at == std::string::npos ? "none" : text.substr(at, text.find(',', at) - at);
}

/// Charges the caller that much: it holds the lock while another thread waits.
void use_beside_waiter(fmq_lock& lock, steady_clock::duration time) {
  lock.lock();
  std::thread other([&] {
    lock.lock();
    lock.unlock();
  });
  await_waiters(lock, 1);
  work_for(time);
  lock.yield();
  lock.unlock();
  other.join();
}

/// Holds the lock on another thread while the caller waits for it; returns the caller's level.
std::string own_level(fmq_lock& lock) {
  std::string level;
  std::thread holder([&] {
    lock.lock();
    await_waiters(lock, 1);
    level = level_of_waiter(lock);
    lock.unlock();
  });
  await([&] { return lock.is_locked(); });
  lock.lock();
  lock.unlock();
  holder.join();
  return level;
}

}  // namespace

// thread   holds the first lock for 400 ms beside a waiter ─ waits for the second: at what level?
TEST_CASE("a thread owes a lock nothing for what it used of a lock that stood there before",
          "[fmq]") {
  std::optional<fmq_lock> lock;
  lock.emplace();
  const auto of_newcomer = own_level(*lock);
  lock.emplace();
  use_beside_waiter(*lock, 400ms);
  CHECK(own_level(*lock) != of_newcomer);
  lock.emplace();
  CHECK(own_level(*lock) == of_newcomer);
}

TEST_CASE("a record that serves another lock remembers no visit of the one before", "[fmq]") {
  auto& thread = conch::fmq::thread_records<conch::posix_platform>::current();
  auto& record = thread.of({.index = 0, .generation = 1});
  record.visits_left = 1ms;
  record.lent_for = 2ms;
  record.excused = 3ms;
  REQUIRE(&thread.of({.index = 0, .generation = 1}) == &record);
  CHECK(record.visits_left == 1ms);
  REQUIRE(&thread.of({.index = 0, .generation = 2}) == &record);
  CHECK(record.visits_left == 0ms);
  CHECK(record.lent_for.load() == 0ms);
  CHECK(record.excused == 0ms);
}

TEST_CASE("what a thread has used of one lock counts for that one alone", "[fmq]") {
  fmq_lock used;
  fmq_lock other;
  fmq_lock new_to_all;
  const auto of_newcomer = own_level(new_to_all);
  use_beside_waiter(used, 400ms);
  CHECK(own_level(used) != of_newcomer);
  CHECK(own_level(other) == of_newcomer);
  CHECK(own_level(used) != of_newcomer);
}

TEST_CASE("threads may end before the locks that they waited for", "[fmq]") {
  auto locks = new_locks(50);
  for (int generation = 0; generation < rounds(20); ++generation)
    std::thread([&] {
      for (auto& lock : locks) {
        lock->lock();
        pass_round(*lock);
        lock->unlock();
      }
    }).join();
  for (auto& lock : locks) CHECK(another_thread_can_take(*lock));
}

TEST_CASE("locks may end before the threads that waited for them", "[fmq]") {
  for (int generation = 0; generation < rounds(20); ++generation) {
    auto locks = new_locks(50);
    for (auto& lock : locks) {
      lock->lock();
      pass_round(*lock);
      lock->unlock();
    }
    // Half of them in another order than that of their construction.
    for (std::size_t i = 0; i < locks.size(); i += 2) locks[i].reset();
  }
  fmq_lock last;
  last.lock();
  pass_round(last);
  last.unlock();
  CHECK(another_thread_can_take(last));
}

TEST_CASE("thousands of locks at once are kept apart", "[fmq]") {
  auto locks = new_locks(3'000);
  for (auto& lock : locks) lock->lock();
  std::size_t entered = 0;
  std::thread other([&] {
    for (auto& lock : locks) {
      lock->lock();
      ++entered;
      lock->unlock();
    }
  });
  for (std::size_t i = 0; i < locks.size(); ++i) {
    await_waiters(*locks[i], 1);
    locks[i]->unlock();
  }
  other.join();
  CHECK(entered == locks.size());
}

// holder   lock ─ (asked) ─ unlock ····· on its way out
// waiter   lock ······················ has it ─ unlock ─ destroys the lock
TEST_CASE("the thread that a release let in may destroy the lock", "[fmq]") {
  for (int i = 0; i < rounds(2'000); ++i) {
    auto lock = std::make_unique<fmq_lock>();
    std::atomic<bool> held{false};
    std::thread holder([&held, &lock = *lock] {
      lock.lock();
      held = true;
      await_waiters(lock, 1);
      lock.unlock();
    });
    await([&] { return held.load(); });
    lock->lock();
    lock->unlock();
    lock.reset();
    holder.join();
  }
  SUCCEED("the sanitizers saw nothing");
}

// both     outer: lock ─ inner: lock ··· ─ unlock ─ unlock ─ …
// a, b     outer or inner alone: lock ─ unlock ─ lock ─ unlock ─ …
TEST_CASE("a thread may hold one lock while it waits for another", "[fmq]") {
  fmq_lock outer;
  fmq_lock inner;
  int outer_holds = 0;
  int inner_holds = 0;
  const int count = rounds(2'000);
  const auto use = [&](bool with_outer, bool with_inner) {
    for (int i = 0; i < count; ++i) {
      if (with_outer) {
        outer.lock();
        ++outer_holds;
        outer.yield();
      }
      if (with_inner) {
        inner.lock();
        ++inner_holds;
        inner.yield();
        inner.unlock();
      }
      if (with_outer) outer.unlock();
    }
  };
  std::thread both(use, true, true);
  std::thread both_too(use, true, true);
  std::thread a(use, true, false);
  std::thread b(use, false, true);
  both.join();
  both_too.join();
  a.join();
  b.join();
  CHECK(outer_holds == 3 * count);
  CHECK(inner_holds == 3 * count);
  CHECK(outer.waiters() + inner.waiters() == 0);
}

namespace {

/// The real platform, but that a thread can be held up where it takes and releases a mutex. For one
/// lock in one test.
struct held_up_platform : conch::posix_platform {
  static inline std::atomic<conch::posix_platform::thread_id> slow_thread{0};
  static inline std::atomic<bool> about_to_lock{false};
  static inline std::atomic<bool> may_lock{false};
  static inline std::atomic<bool> about_to_unlock{false};
  static inline std::atomic<bool> may_unlock{false};
  static inline std::atomic<bool> destroyed{false};
  static inline std::atomic<bool> used_after_destruction{false};

  class mutex {
  public:
    mutex() = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    ~mutex() { destroyed = true; }

    void lock() noexcept {
      hold_up(about_to_lock, may_lock);
      real_.lock();
    }
    bool try_lock() noexcept { return real_.try_lock(); }
    void unlock() noexcept {
      hold_up(about_to_unlock, may_unlock);
      if (destroyed)
        used_after_destruction = true;
      else
        real_.unlock();
    }

  private:
    static void hold_up(std::atomic<bool>& here, std::atomic<bool>& may_go_on) {
      if (slow_thread != this_thread()) return;
      here = true;
      await([&] { return may_go_on.load(); });
    }
    conch::posix_platform::mutex real_;
  };
};

}  // namespace

// holder   lock ─ unlock: somebody waits ········· frees the lock ····················· returns
// waiter   acquire ······················ interrupted
// main                                                       lock ─ unlock ─ destroys the lock
TEST_CASE("the lock may be destroyed once it was free, though the unlock is not over", "[fmq]") {
  using platform = held_up_platform;
  using slow_lock = conch::basic_fmq_lock<platform>;
  auto lock = std::make_unique<slow_lock>();
  std::atomic<bool> held{false};
  std::thread holder([&held, &lock = *lock] {
    lock.lock();
    held = true;
    await_waiters(lock, 1);
    platform::slow_thread = platform::this_thread();
    lock.unlock();
  });
  await([&] { return held.load(); });
  std::atomic<decltype(&slow_lock::interrupt_handle())> handle{nullptr};
  std::thread waiter([&handle, &lock = *lock] {
    handle = &slow_lock::interrupt_handle();
    (void)lock.lock_interruptible_until(steady_clock::time_point::max());
  });
  await([] { return platform::about_to_lock.load(); });
  slow_lock::interrupt(*handle);
  waiter.join();
  platform::may_lock = true;
  await([] { return platform::about_to_unlock.load(); });
  lock->lock();
  lock->unlock();
  std::thread later([] {
    // Time for a destructor that would not wait for the unlock; one that does is not seen to.
    for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
    platform::may_unlock = true;
  });
  lock.reset();
  holder.join();
  later.join();
  CHECK_FALSE(platform::used_after_destruction);
}

TEST_CASE(
    "where the end of a thread could not be seen, and its records would stay, the program ends",
    "[fmq]") {
  struct records {
    void at_thread_exit() const noexcept {}
  };
  const auto end = run_in_child([] {
    pthread_key_t key{};
    while (::pthread_key_create(&key, nullptr) == 0) {
    }
    conch::posix_platform::watch_thread_exit<records>();
    return 0;
  });
  INFO(end.describe());
  CHECK(end.killed_by(SIGABRT));
  CHECK(end.said("no pthread key is left"));
}
