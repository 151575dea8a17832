// SPDX-License-Identifier: MIT
#pragma once

#include "../support/random.hpp"
#include "../support/watchdog.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>

namespace conch::testing {

/// What a lock guards in the stress tests: plain data that two holders at once would spoil. It
/// notices that itself, and ThreadSanitizer does.
template <class Lock>
class guarded_state {
public:
  explicit guarded_state(Lock& lock) : lock_(lock), dog_([&lock] { return lock.describe(); }) {}

  /// The caller has got the lock.
  void enter(int thread) noexcept {
    if (owner_ != nobody) ++overlaps_;
    if constexpr (owned_lock<Lock>)
      if (!lock_.held_by_caller()) ++overlaps_;
    owner_ = thread;
    counter_ = counter_ + 1;
    dog_.feed();
  }
  /// The caller is about to let go of it.
  void leave(int thread) noexcept {
    if (owner_ != thread) ++overlaps_;
    owner_ = nobody;
  }

  /// Precondition for these: the threads that used the lock have been joined.
  [[nodiscard]] std::uint64_t counter() const noexcept { return counter_; }
  [[nodiscard]] int overlaps() const noexcept { return overlaps_; }

private:
  static constexpr int nobody = -1;
  Lock& lock_;
  int owner_ = nobody;
  std::uint64_t counter_ = 0;
  std::atomic<int> overlaps_{0};
  watchdog dog_;
};

/// One thread's part in a mix of all that a lock can do.
template <class Lock>
class mixed_operations {
public:
  mixed_operations(Lock& lock, guarded_state<Lock>& state, int thread, std::uint64_t seed)
      : lock_(lock),
        state_(state),
        thread_(thread),
        random_(seed + 0x10001U * static_cast<std::uint64_t>(thread)) {}

  /// Returns how often it entered.
  std::uint64_t run(int operations) {
    for (int i = 0; i < operations; ++i) {
      if (!acquire()) continue;
      enter();
      act();
      state_.leave(thread_);
      lock_.unlock();
    }
    return entered_;
  }

private:
  bool acquire() {
    switch (random_.below(10)) {
      case 0:
      case 1:
        return lock_.try_lock();
      case 2:
      case 3:
        return lock_.try_lock_for(std::chrono::nanoseconds(random_.below(40'000)));
      case 4:
        return lock_.try_lock_for(std::chrono::hours(1));
      case 5:
        return lock_.try_lock_until(std::chrono::system_clock::now() +
                                    std::chrono::microseconds(random_.below(40)));
      default:
        lock_.lock();
        return true;
    }
  }

  void act() {
    switch (random_.below(8)) {
      case 0:
        for (auto left = random_.below(150); left != 0; --left) give_way(&Lock::checkpoint);
        break;
      case 1:
        give_way(&Lock::yield);
        break;
      case 2:
        for (auto left = random_.below(500); left != 0; --left) Lock::platform::relax();
        break;
      default:
        break;
    }
  }

  template <class GiveWay>
  void give_way(GiveWay checkpoint_or_yield) {
    state_.leave(thread_);
    (lock_.*checkpoint_or_yield)();
    enter();
  }

  void enter() {
    state_.enter(thread_);
    ++entered_;
  }

  Lock& lock_;
  guarded_state<Lock>& state_;
  int thread_;
  random_numbers random_;
  std::uint64_t entered_ = 0;
};

}  // namespace conch::testing
