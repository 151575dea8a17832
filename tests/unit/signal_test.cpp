// SPDX-License-Identifier: MIT

// Signals that rain on a thread that waits.

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <pthread.h>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <thread>
#include <vector>

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

/// How a thread waits.
enum class way { timed, untimed };

/// Threads that wait, each for a lock of its own, under signals that restart system calls or not.
template <class Lock>
class rained_on {
public:
  rained_on(std::initializer_list<way> ways, steady_clock::duration timeout) {
    signals_handled = 0;
    for (const auto each : ways)
      for (const int signal : {restarting_.number(), interrupting_.number()}) {
        auto& one = *all_.emplace_back(std::make_unique<waiting>());
        one.signal = signal;
        one.lock.lock();
        one.thread = std::thread([&one, each, timeout] { one.wait(each, timeout); });
      }
    for (const auto& one : all_) await([&] { return one->lock.waiters() == 1 || one->returned; });
  }

  /// 40 signals to each, 20 ms apart: the stimulus, which is why it goes by the clock.
  void rain() {
    for (int i = 0; i < 40; ++i) {
      for (const auto& one : all_) ::pthread_kill(one->thread.native_handle(), one->signal);
      std::this_thread::sleep_for(20ms);
    }
  }

  void unlock() {
    for (const auto& one : all_) one->lock.unlock();
  }
  void join() {
    for (const auto& one : all_) one->thread.join();
  }

  [[nodiscard]] std::size_t count() const { return all_.size(); }
  [[nodiscard]] std::size_t acquired() const {
    return static_cast<std::size_t>(std::count_if(
        all_.begin(), all_.end(), [](const auto& one) { return one->acquired.load(); }));
  }
  [[nodiscard]] bool any_too_early() const {
    return std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one->too_early; });
  }

private:
  struct waiting {
    Lock lock;
    int signal = 0;
    std::thread thread;
    std::atomic<bool> acquired{false};
    std::atomic<bool> returned{false};
    bool too_early = false;

    void wait(way how, steady_clock::duration timeout) {
      const auto deadline = steady_clock::now() + timeout;
      if (how == way::timed) {
        acquired = lock.try_lock_for(timeout);
      } else {
        lock.lock();
        acquired = true;
      }
      too_early = !acquired && steady_clock::now() < deadline;
      if (acquired) lock.unlock();
      returned = true;
    }
  };

  counted_signal restarting_{SIGUSR1, SA_RESTART};
  counted_signal interrupting_{SIGUSR2, 0};
  std::vector<std::unique_ptr<waiting>> all_;
};

}  // namespace

// main     lock ─ signal ─ signal ─ signal ─ … ─────────── unlock
// waiter   try_lock_for(500 ms) ·········· 500 ms: gives up
TEMPLATE_LIST_TEST_CASE("signals do not end a timed wait before its deadline", "[signals]",
                        all_locks) {
  rained_on<TestType> waiters({way::timed}, 500ms);
  waiters.rain();
  waiters.join();
  CHECK(signals_handled > 0);
  CHECK(waiters.acquired() == 0);
  CHECK_FALSE(waiters.any_too_early());
  waiters.unlock();
}

// main     lock ─ signal ─ signal ─ signal ─ … ─ signal ─ unlock
// waiter   lock, or try_lock_for(1 h) ·························· has it
TEMPLATE_LIST_TEST_CASE("signals neither let a waiter in nor keep it from the lock", "[signals]",
                        all_locks) {
  rained_on<TestType> waiters({way::timed, way::untimed}, 1h);
  waiters.rain();
  CHECK(waiters.acquired() == 0);
  waiters.unlock();
  waiters.join();
  CHECK(signals_handled > 0);
  CHECK(waiters.acquired() == waiters.count());
}
