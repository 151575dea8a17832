// SPDX-License-Identifier: MIT

// Signals that rain on a thread that waits.

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <pthread.h>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using std::chrono::steady_clock;

namespace {

std::atomic<int> signals_handled{0};
static_assert(std::atomic<int>::is_always_lock_free);

extern "C" void count_signal(int) { ++signals_handled; }

/// Counts that signal for as long as it lives.
class counted_signal {
 public:
  counted_signal(int signal, int flags) : signal_(signal) {
    struct sigaction action = {};
    action.sa_handler = count_signal;
    action.sa_flags = flags;
    ::sigaction(signal_, &action, &before_);
  }
  counted_signal(const counted_signal&) = delete;
  counted_signal& operator=(const counted_signal&) = delete;
  ~counted_signal() { ::sigaction(signal_, &before_, nullptr); }

  [[nodiscard]] int number() const { return signal_; }

 private:
  int signal_;
  struct sigaction before_ = {};
};

/// Two threads that wait for two locks, one under signals that restart system calls and one under
/// signals that do not.
template <class Lock>
class rained_on {
 public:
  explicit rained_on(steady_clock::duration timeout) {
    signals_handled = 0;
    for (auto& each : each_) {
      each.lock.lock();
      each.waiter = std::thread([&each, timeout] {
        const auto deadline = steady_clock::now() + timeout;
        each.acquired = each.lock.try_lock_for(timeout);
        each.too_early = !each.acquired && steady_clock::now() < deadline;
        if (each.acquired) each.lock.unlock();
      });
    }
    for (auto& each : each_) await([&] { return each.lock.waiters() == 1; });
  }

  /// 40 signals to each, 20 ms apart: the stimulus, which is why it goes by the clock.
  void rain() {
    for (int i = 0; i < 40; ++i) {
      ::pthread_kill(each_[0].waiter.native_handle(), restarting_.number());
      ::pthread_kill(each_[1].waiter.native_handle(), interrupting_.number());
      std::this_thread::sleep_for(20ms);
    }
  }

  void unlock() {
    for (auto& each : each_) each.lock.unlock();
  }
  void join() {
    for (auto& each : each_) each.waiter.join();
  }

  [[nodiscard]] bool both_acquired() const { return each_[0].acquired && each_[1].acquired; }
  [[nodiscard]] bool any_acquired() const { return each_[0].acquired || each_[1].acquired; }
  [[nodiscard]] bool any_too_early() const { return each_[0].too_early || each_[1].too_early; }

 private:
  struct one {
    Lock lock;
    std::thread waiter;
    bool acquired = false;
    bool too_early = false;
  };
  counted_signal restarting_{SIGUSR1, SA_RESTART};
  counted_signal interrupting_{SIGUSR2, 0};
  one each_[2];
};

}  // namespace

// main     lock ─ signal ─ signal ─ signal ─ … ─────────── unlock
// waiter   try_lock_for(500 ms) ·········· 500 ms: gives up
TEMPLATE_LIST_TEST_CASE("signals do not end a timed wait before its deadline", "[signals]",
                        all_locks) {
  rained_on<TestType> waiters(500ms);
  waiters.rain();
  waiters.join();
  CHECK(signals_handled > 0);
  CHECK_FALSE(waiters.any_acquired());
  CHECK_FALSE(waiters.any_too_early());
  waiters.unlock();
}

// main     lock ─ signal ─ signal ─ signal ─ … ─ signal ─ unlock
// waiter   try_lock_for(1 h) ···································· has it
TEMPLATE_LIST_TEST_CASE("signals do not keep a timed wait from the lock", "[signals]", all_locks) {
  rained_on<TestType> waiters(1h);
  waiters.rain();
  waiters.unlock();
  waiters.join();
  CHECK(signals_handled > 0);
  CHECK(waiters.both_acquired());
}
