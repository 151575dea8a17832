// SPDX-License-Identifier: MIT

// Waits for an fmq_lock that another thread, or a signal handler, ends.

#include <conch/fmq_lock.hpp>

#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <pthread.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <latch>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::acquire_result;
using conch::fmq_lock;
using std::chrono::steady_clock;

namespace {

constexpr auto for_ever = steady_clock::time_point::max();
using handle = std::remove_reference_t<decltype(fmq_lock::interrupt_handle())>;

}  // namespace

TEST_CASE("an interruptible acquire takes a free lock", "[interrupt]") {
  fmq_lock lock;
  CHECK(lock.lock_interruptible_until(for_ever) == acquire_result::acquired);
  CHECK(lock.held_by_caller());
  lock.unlock();
  CHECK(lock.lock_interruptible_until(steady_clock::now() - 1h) == acquire_result::acquired);
  lock.unlock();
}

// main     lock ─ (waits: 1) ─ unlock
// waiter        acquire ············ acquired
TEST_CASE("an interruptible acquire gets the lock when it is unlocked", "[interrupt]") {
  fmq_lock lock;
  lock.lock();
  auto result = acquire_result::timed_out;
  std::thread waiter([&] {
    result = lock.lock_interruptible_until(for_ever);
    if (result == acquire_result::acquired) lock.unlock();
  });
  await_waiters(lock, 1);
  lock.unlock();
  waiter.join();
  CHECK(result == acquire_result::acquired);
}

TEST_CASE("an interruptible acquire times out, and not before its deadline", "[interrupt]") {
  fmq_lock lock;
  lock.lock();
  for (const auto timeout : {steady_clock::duration(-1h), steady_clock::duration(0),
                             steady_clock::duration(1us), steady_clock::duration(15ms)}) {
    auto result = acquire_result::acquired;
    bool too_early = true;
    std::thread([&] {
      const auto deadline = steady_clock::now() + timeout;
      result = lock.lock_interruptible_until(deadline);
      too_early = steady_clock::now() < deadline;
    }).join();
    CHECK(result == acquire_result::timed_out);
    CHECK_FALSE(too_early);
  }
  CHECK(lock.waiters() == 0);
  lock.unlock();
}

// main     lock ─ (waits: 1) ─ interrupt ──────── still held
// waiter        acquire ·············· interrupted
TEST_CASE("an interrupt ends a wait and leaves the lock to its holder", "[interrupt]") {
  fmq_lock lock;
  lock.lock();
  std::atomic<handle*> self{nullptr};
  auto result = acquire_result::acquired;
  std::thread waiter([&] {
    self = &fmq_lock::interrupt_handle();
    result = lock.lock_interruptible_until(for_ever);
  });
  await_waiters(lock, 1);
  fmq_lock::interrupt(*self);
  waiter.join();
  CHECK(result == acquire_result::interrupted);
  CHECK(lock.waiters() == 0);
  CHECK(lock.held_by_caller());
  lock.unlock();
  CHECK(another_thread_can_take(lock));
}

// main     lock ─ interrupt ─ interrupt ─ go
// waiter                                   acquire: interrupted ─ acquire ··· timed out
TEST_CASE("interrupts before a wait end it, and two of them are one", "[interrupt]") {
  fmq_lock lock;
  lock.lock();
  std::atomic<handle*> self{nullptr};
  std::latch interrupted(1);
  auto first = acquire_result::acquired;
  auto second = acquire_result::acquired;
  std::thread waiter([&] {
    self = &fmq_lock::interrupt_handle();
    interrupted.wait();
    first = lock.lock_interruptible_until(for_ever);
    second = lock.lock_interruptible_until(steady_clock::now() + 5ms);
  });
  await([&] { return self != nullptr; });
  fmq_lock::interrupt(*self);
  fmq_lock::interrupt(*self);
  interrupted.count_down();
  waiter.join();
  CHECK(first == acquire_result::interrupted);
  CHECK(second == acquire_result::timed_out);
  lock.unlock();
}

TEST_CASE("an interrupt does not keep a thread from a free lock and ends its next wait",
          "[interrupt]") {
  fmq_lock free;
  fmq_lock held;
  held.lock();
  auto at_free = acquire_result::timed_out;
  auto at_held = acquire_result::timed_out;
  std::thread([&] {
    fmq_lock::interrupt(fmq_lock::interrupt_handle());
    at_free = free.lock_interruptible_until(for_ever);
    if (at_free == acquire_result::acquired) free.unlock();
    at_held = held.lock_interruptible_until(for_ever);
  }).join();
  CHECK(at_free == acquire_result::acquired);
  CHECK(at_held == acquire_result::interrupted);
  held.unlock();
}

// main     lock ─ (waits: 2) ─ interrupt both ─ (they time out or go on) ─ unlock
// plain    lock ······················································ has it
// timed    try_lock_for(20 ms) ····················· gives up
TEST_CASE("an interrupt does not end a wait that cannot be interrupted, and is kept for the next",
          "[interrupt]") {
  fmq_lock lock;
  fmq_lock held;
  lock.lock();
  held.lock();
  std::atomic<handle*> plain_handle{nullptr};
  std::atomic<handle*> timed_handle{nullptr};
  auto plain_next = acquire_result::timed_out;
  auto timed_next = acquire_result::timed_out;
  bool too_early = true;
  std::thread plain([&] {
    plain_handle = &fmq_lock::interrupt_handle();
    lock.lock();
    lock.unlock();
    plain_next = held.lock_interruptible_until(for_ever);
  });
  std::thread timed([&] {
    timed_handle = &fmq_lock::interrupt_handle();
    const auto deadline = steady_clock::now() + 20ms;
    const bool acquired = lock.try_lock_until(deadline);
    too_early = acquired || steady_clock::now() < deadline;
    timed_next = held.lock_interruptible_until(for_ever);
  });
  await([&] { return plain_handle != nullptr && timed_handle != nullptr && lock.waiters() != 0; });
  fmq_lock::interrupt(*plain_handle);
  fmq_lock::interrupt(*timed_handle);
  timed.join();
  CHECK_FALSE(too_early);
  await_waiters(lock, 1);
  lock.unlock();
  plain.join();
  CHECK(timed_next == acquire_result::interrupted);
  CHECK(plain_next == acquire_result::interrupted);
  held.unlock();
}

// main     lock ─ (waits: 2) ─ interrupt a ─ unlock
// a        acquire ·················· interrupted
// b        lock ··································· has it
TEST_CASE("an interrupted waiter does not keep another from the lock", "[interrupt]") {
  fmq_lock lock;
  lock.lock();
  std::atomic<handle*> a_handle{nullptr};
  auto result = acquire_result::acquired;
  bool b_had_it = false;
  std::thread a([&] {
    a_handle = &fmq_lock::interrupt_handle();
    result = lock.lock_interruptible_until(for_ever);
  });
  std::thread b([&] {
    lock.lock();
    b_had_it = true;
    lock.unlock();
  });
  await_waiters(lock, 2);
  fmq_lock::interrupt(*a_handle);
  a.join();
  CHECK(lock.waiters() == 1);
  lock.unlock();
  b.join();
  CHECK(result == acquire_result::interrupted);
  CHECK(b_had_it);
}

namespace {

std::atomic<handle*> to_interrupt{nullptr};
static_assert(std::atomic<handle*>::is_always_lock_free);

extern "C" void interrupt_from_handler(int) { fmq_lock::interrupt(*to_interrupt.load()); }

/// Has SIGUSR1 interrupt to_interrupt for as long as it lives.
class interrupting_signal {
public:
  explicit interrupting_signal(int flags) {
    struct sigaction action = {};
    action.sa_handler = interrupt_from_handler;
    action.sa_flags = flags;
    ::sigaction(SIGUSR1, &action, &before_);
  }
  interrupting_signal(const interrupting_signal&) = delete;
  interrupting_signal& operator=(const interrupting_signal&) = delete;
  ~interrupting_signal() { ::sigaction(SIGUSR1, &before_, nullptr); }

private:
  struct sigaction before_ = {};
};

/// True if a wait ends, each time, by a handler that runs on whom send(waiter) sends the signal.
template <class Send>
bool handler_ends_each_wait(Send send) {
  fmq_lock lock;
  lock.lock();
  bool each = true;
  for (int i = 0; i < rounds(200); ++i) {
    to_interrupt = nullptr;
    auto result = acquire_result::acquired;
    std::thread waiter([&] {
      to_interrupt = &fmq_lock::interrupt_handle();
      result = lock.lock_interruptible_until(for_ever);
    });
    await([&] { return to_interrupt.load() != nullptr; });
    if (i % 2 == 0) await_waiters(lock, 1);  // else wherever it is on its way to sleep
    send(waiter);
    waiter.join();
    each = each && result == acquire_result::interrupted;
  }
  lock.unlock();
  return each;
}

}  // namespace

// main     lock ─ (waits: 1) ─ raise: handler: interrupt
// waiter        acquire ····························· interrupted
TEST_CASE("a signal handler ends the wait of another thread", "[interrupt]") {
  const interrupting_signal signal(SA_RESTART);
  CHECK(handler_ends_each_wait([](std::thread&) { ::raise(SIGUSR1); }));
}

#if defined(CONCH_LINUX)  // elsewhere a handler may not interrupt the thread that it runs on

// main     lock ─ (waits: 1) ─ pthread_kill(waiter)
// waiter        acquire ················· handler: interrupt ─ interrupted
TEST_CASE("a signal handler ends the wait of the thread that it runs on", "[interrupt]") {
  const int flags = GENERATE(0, SA_RESTART);
  CAPTURE(flags);
  const interrupting_signal signal(flags);
  CHECK(handler_ends_each_wait(
      [](std::thread& waiter) { ::pthread_kill(waiter.native_handle(), SIGUSR1); }));
}

#endif

// main      interrupt ─ (answered) ─ interrupt ─ (answered) ─ …
// waiter    acquired, acquired, interrupted: answers, acquired …
// a, b      lock ─ unlock ─ lock ─ unlock ─ …
TEST_CASE("an interrupt that races an acquire ends that wait or the next", "[interrupt]") {
  fmq_lock lock;
  std::atomic<bool> stop{false};
  std::atomic<handle*> self{nullptr};
  std::atomic<int> answered{0};
  const auto take_turns = [&] {
    while (!stop) {
      lock.lock();
      lock.unlock();
    }
  };
  std::thread a(take_turns);
  std::thread b(take_turns);
  std::thread waiter([&] {
    self = &fmq_lock::interrupt_handle();
    while (!stop) {
      if (lock.lock_interruptible_until(for_ever) == acquire_result::acquired)
        lock.unlock();
      else
        ++answered;
    }
  });
  await([&] { return self != nullptr; });
  for (int i = 0; i < rounds(5'000); ++i) {
    fmq_lock::interrupt(*self);
    await([&] { return answered == i + 1; });  // one that is lost is waited for in vain
  }
  stop = true;
  a.join();
  b.join();
  waiter.join();
  CHECK(answered == rounds(5'000));
}
