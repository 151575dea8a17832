// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <thread>

namespace conch::testing {

/// The real platform with a clock that moves only by advance(), and with a gate: while it is closed,
/// threads that sleep in a condition stay there, signalled or not, as threads do that the operating
/// system is slow to run; those that signal can be held up as well. For one lock in one test at a time.
struct manual_platform : posix_platform {
  static time_point now() noexcept {
    const std::lock_guard guard(world().mutex);
    return world().now;
  }

  /// Puts the clock to its beginning and opens the gate.
  static void reset() {
    const std::lock_guard guard(world().mutex);
    world().now = time_point(std::chrono::hours(1));
    world().gate_open = true;
    world().waits_started = 0;
  }

  /// Moves the clock. Returns when each thread whose deadline has come has left its wait.
  static void advance(duration time) {
    std::unique_lock guard(world().mutex);
    world().now += time;
    world().changed.notify_all();
    world().changed.wait(guard, [] { return !world().gate_open || !somebody_is_due(); });
  }

  static void close_gate() {
    const std::lock_guard guard(world().mutex);
    world().gate_open = false;
  }
  static void open_gate() {
    const std::lock_guard guard(world().mutex);
    world().gate_open = true;
    world().changed.notify_all();
  }

  /// From now on, threads that signal to a condition stay in the middle of that.
  static void hold_signals() { hold_signals_ = true; }
  static void release_signals() { hold_signals_ = false; }
  /// How many of them are there.
  static int held_signals() { return held_signals_; }

  /// How many threads sleep in a condition.
  static std::size_t sleepers() {
    const std::lock_guard guard(world().mutex);
    std::size_t count = 0;
    for (auto* s = world().sleeping; s != nullptr; s = s->next) ++count;
    return count;
  }

  /// How many waits in conditions have begun since reset().
  static std::size_t waits_started() {
    const std::lock_guard guard(world().mutex);
    return world().waits_started;
  }

  class condition {
  public:
    constexpr condition() noexcept = default;
    condition(const condition&) = delete;
    condition& operator=(const condition&) = delete;

    void wait(posix_platform::mutex& m) noexcept { wait_until(m, time_point::max()); }

    void wait_until(posix_platform::mutex& m, time_point deadline) noexcept {
      std::unique_lock guard(world().mutex);
      m.unlock();
      sleeper self{.where = this, .deadline = deadline, .next = world().sleeping};
      world().sleeping = &self;
      ++world().waits_started;
      world().changed.wait(guard, [&] { return world().gate_open && self.is_due(); });
      remove(self);
      world().changed.notify_all();  // advance() may wait for this
      guard.unlock();
      m.lock();
    }

    void notify_one() noexcept { notify(false); }
    void notify_all() noexcept { notify(true); }

  private:
    void notify(bool all) noexcept {
      ++held_signals_;
      while (hold_signals_) std::this_thread::yield();
      --held_signals_;
      const std::lock_guard guard(world().mutex);
      for (auto* s = world().sleeping; s != nullptr; s = s->next) {
        if (s->where != this || s->signalled) continue;
        s->signalled = true;
        if (!all) break;
      }
      world().changed.notify_all();
    }
  };

private:
  struct sleeper {
    const condition* where;
    time_point deadline;
    sleeper* next;
    bool signalled = false;

    [[nodiscard]] bool is_due() const { return signalled || world().now >= deadline; }
  };

  struct world_state {
    std::mutex mutex;
    std::condition_variable changed;
    time_point now{std::chrono::hours(1)};
    bool gate_open = true;
    std::size_t waits_started = 0;
    sleeper* sleeping = nullptr;
  };

  static inline std::atomic<bool> hold_signals_{false};
  static inline std::atomic<int> held_signals_{0};

  static world_state& world() {
    static world_state state;
    return state;
  }

  static bool somebody_is_due() {
    for (auto* s = world().sleeping; s != nullptr; s = s->next)
      if (s->is_due()) return true;
    return false;
  }

  static void remove(const sleeper& gone) {
    auto** link = &world().sleeping;
    while (*link != &gone) link = &(*link)->next;
    *link = gone.next;
  }
};

}  // namespace conch::testing
