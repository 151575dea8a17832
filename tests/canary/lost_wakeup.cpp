// SPDX-License-Identifier: MIT

// A lock that looks at its flag before it takes its mutex and not again before it sleeps: an unlock
// in between wakes nobody, and the waiter sleeps on beside a free lock. The watchdog of the stress
// tests must catch it; with the second look in place it must have nothing to say.
//
//   holder   lock ────────────────────── unlock, signal
//   waiter         looks: taken ─ (window) ──────────── sleeps for ever

#include "../support/child_process.hpp"
#include "../support/watchdog.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <latch>
#include <mutex>
#include <string_view>
#include <thread>

namespace {

class hand_made_lock {
public:
  explicit hand_made_lock(bool looks_again) : looks_again_(looks_again) {}

  void lock() {
    while (locked_.exchange(true)) {
      saw_it_taken_.count_down();
      unlocked_.wait();  // the window, held open until the unlock is over
      std::unique_lock guard(mutex_);
      if (looks_again_ && !locked_) continue;
      released_.wait(guard);
    }
  }

  void unlock() {
    {
      const std::lock_guard guard(mutex_);
      locked_ = false;
      released_.notify_one();
    }
    unlocked_.count_down();
  }

  void await_look() { saw_it_taken_.wait(); }

private:
  bool looks_again_;
  std::atomic<bool> locked_{false};
  std::mutex mutex_;
  std::condition_variable released_;
  std::latch saw_it_taken_{1};
  std::latch unlocked_{1};
};

void pass_the_lock(bool looks_again, std::chrono::seconds patience) {
  hand_made_lock lock(looks_again);
  lock.lock();
  conch::testing::watchdog dog([] { return "a hand-made lock"; }, patience);
  std::thread waiter([&] {
    lock.lock();
    dog.feed();
    lock.unlock();
  });
  lock.await_look();
  lock.unlock();
  waiter.join();
}

}  // namespace

int main(int argc, char** argv) {
  const bool looks_again = argc == 2 && std::string_view(argv[1]) == "looks-again";
  if (looks_again) {
    pass_the_lock(true, std::chrono::seconds(30));
    return 0;
  }
  const auto end = conch::testing::run_in_child([] {
    pass_the_lock(false, std::chrono::seconds(1));
    return 0;
  });
  std::puts(end.describe().c_str());
  return end.killed_by(SIGABRT) && end.said("watchdog: no progress") ? 0 : 1;
}
