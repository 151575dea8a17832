// SPDX-License-Identifier: MIT

// What an fmq_lock does not do: read the clock, allocate, wake or sleep where it need not.

#include <conch/fmq_lock.hpp>
#include <conch/stats.hpp>

#include "../support/counted_allocations.hpp"
#include "../support/counting_platform.hpp"
#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::lock_event;

namespace {
using counted_lock = conch::basic_fmq_lock<counting_platform, conch::event_counter>;

/// How often a lock had to wake a thread.
std::uint64_t reasons_to_wake(const conch::event_counter& counts) {
  return counts[lock_event::handoff] + counts[lock_event::heir_named] +
         counts[lock_event::alarm_passed] + counts[lock_event::called];
}
}  // namespace

TEST_CASE("an uncontended fmq_lock reads no clock and allocates nothing", "[fmq]") {
  counting_platform::reset();
  counted_lock lock;
  const auto allocated = counted_allocations.load();
  for (int i = 0; i < 1'000; ++i) {
    lock.lock();
    lock.checkpoint();
    lock.unlock();
    if (lock.try_lock()) lock.unlock();
  }
  CHECK(counting_platform::clock_reads == 0);
  CHECK(counting_platform::sleeps == 0);
  CHECK(counting_platform::unparks == 0);
  CHECK(counted_allocations == allocated);
}

TEST_CASE("an fmq_lock that a thread has waited for before allocates nothing", "[fmq]") {
  counting_platform::reset();
  // More than a thread has records for without allocating.
  std::vector<counted_lock> locks(20);
  std::uint64_t allocated_before = 0;
  std::uint64_t allocated_after = 0;
  std::barrier both(2, [&]() noexcept {
    if (allocated_before == 0)
      allocated_before = counted_allocations;
    else
      allocated_after = counted_allocations;
  });
  std::vector<std::atomic<int>> passed(locks.size());
  const auto pass_each = [&] {
    for (std::size_t i = 0; i < locks.size(); ++i) {
      auto& lock = locks[i];
      lock.lock();
      await([&] { return lock.waiters() != 0 || passed[i] % 2 != 0; });
      lock.yield();
      ++passed[i];
      lock.unlock();
    }
  };
  const auto contend = [&] {
    pass_each();  // the first waits allocate …
    both.arrive_and_wait();
    for (int i = 0; i < 5; ++i) {
      pass_each();  // … and the later ones do not
      both.arrive_and_wait();
    }
  };
  std::thread other(contend);
  contend();
  other.join();
  CHECK(allocated_before != 0);
  CHECK(allocated_after == allocated_before);
}

// each     lock ··· 10 µs ─ unlock ─ lock ··· 10 µs ─ unlock ─ …      (all of them wait at first)
TEST_CASE("a contended fmq_lock wakes for a handoff, for an heir, or for an alarm", "[fmq]") {
  const int threads = GENERATE(2, 4, 8);
  conch::fmq_config config;
  config.spin = 0ns;  // so that they sleep rather than spin
  counting_platform::reset();
  counted_lock lock(config);
  lock.lock();
  std::vector<std::thread> others;
  others.reserve(static_cast<std::size_t>(threads));
  for (int t = 0; t < threads; ++t)
    others.emplace_back([&] {
      while (counting_platform::sleeps < 500) {
        lock.lock();
        const auto until = std::chrono::steady_clock::now() + 10us;
        while (std::chrono::steady_clock::now() < until) lock.checkpoint();
        lock.unlock();
      }
    });
  await_waiters(lock, static_cast<std::size_t>(threads));
  lock.unlock();
  for (auto& other : others) other.join();
  const auto& counts = lock.observer();
  CAPTURE(threads, counting_platform::unparks.load(), counting_platform::sleeps.load(),
          counts[lock_event::handoff], counts[lock_event::heir_named],
          counts[lock_event::alarm_passed], counts[lock_event::drop_requested]);
  CHECK(counting_platform::unparks == reasons_to_wake(counts));
  CHECK(counts[lock_event::alarm_passed] <= counts[lock_event::drop_requested]);
}

// hog      |--c--c--c~~~~c--c--c--c--c~~~~c--c--…       ~ the lock is lent
// guest             lock·unlock         lock·unlock
TEST_CASE(
    "a holder lends an fmq_lock to a thread with credit, and wakes nobody for it unless it stays",
    "[fmq]") {
  if (counting_platform::cpu_count() == 1) SKIP("nobody spins on one CPU");
  const auto stay = GENERATE(0us, 50us);  // 50 µs: longer than the holder spins
  constexpr std::uint64_t visits = 50;
  counting_platform::reset();
  counted_lock lock;
  const auto& counts = lock.observer();
  std::atomic<bool> done{false};
  std::thread hog([&] {
    lock.lock();
    while (!done) lock.checkpoint();
    lock.unlock();
  });
  await([&] { return lock.is_locked(); });
  while (counts[lock_event::lent] < visits) {  // both need a CPU at once, and others may be busy
    // Elsewhere for longer than the holder may be ahead of a thread with credit.
    work_for(300us);
    lock.lock();
    work_for(stay);
    lock.unlock();
  }
  done = true;
  hog.join();
  CAPTURE(counts[lock_event::handoff], counts[lock_event::heir_named]);
  CHECK(counting_platform::unparks == reasons_to_wake(counts));
}

namespace {

/// Its clock moves where somebody looks for the lock or wakes a thread, and a wake takes as long as many
/// spins. Alarms never ring. For one lock in one test at a time.
struct slow_wake_platform : counting_platform {
  static inline std::atomic<std::int64_t> nanoseconds{1};
  static inline std::atomic<int> looks_before_sleep{0};
  static inline thread_local int looks_since_wake = 0;

  static time_point now() noexcept { return time_point(duration(nanoseconds.load())); }
  static void advance(duration time) noexcept { nanoseconds += time.count(); }
  static void relax() noexcept {
    ++looks_since_wake;
    advance(100ns);
  }

  class parker {
  public:
    class waker {
    public:
      void wake() const noexcept {
        if (!wakes_) return;
        real_.wake();
        advance(1ms);
        looks_since_wake = 0;
      }

    private:
      friend class parker;
      counting_platform::parker::waker real_;
      bool wakes_ = false;
    };

    void park() noexcept {
      looks_before_sleep = looks_since_wake;
      real_.park();
    }
    bool park_until(time_point /*deadline*/) noexcept {
      park();
      return true;
    }
    [[nodiscard]] waker unpark() noexcept {
      waker sleeper;
      sleeper.real_ = real_.unpark();
      sleeper.wakes_ = true;
      return sleeper;
    }

  private:
    counting_platform::parker real_;
  };
};

}  // namespace

// main     lock ── ✓ (sleeps) ─────── 100 ms ── ✓ (wakes, looks for 20 µs, sleeps) ── unlock
// guest         lock ─ unlock             lock ────────────────────────────── unlock
TEST_CASE(
    "who hands an fmq_lock to a sleeper for a short while looks for it, however slow the wake",
    "[fmq]") {
  using platform = slow_wake_platform;
  if (platform::cpu_count() == 1) SKIP("nobody spins on one CPU");
  platform::reset();
  conch::basic_fmq_lock<platform> lock;
  std::atomic<bool> is_away{false};
  std::atomic<bool> comes_back{false};
  std::atomic<int> looks{0};
  lock.lock();
  std::thread guest([&] {
    lock.lock();  // by which it gets to be known
    await([] { return platform::sleeps == 2; });
    lock.unlock();
    is_away = true;
    await([&] { return comes_back.load(); });
    lock.lock();
    await([] { return platform::sleeps == 4; });
    looks = platform::looks_before_sleep.load();
    lock.unlock();
  });
  await([] { return platform::sleeps == 1; });
  platform::advance(10ms);
  CHECK(lock.checkpoint());
  await([&] { return is_away.load(); });
  platform::advance(100ms);  // whoever is away so long has credit
  comes_back = true;
  await([] { return platform::sleeps == 3; });
  CHECK(lock.checkpoint());
  CHECK(looks >= lock.config().spin / 100ns);
  lock.unlock();
  guest.join();
}
