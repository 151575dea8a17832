// SPDX-License-Identifier: MIT

// The laws of fmq_lock, as far as real threads can show them. Whatever is compared was measured in
// the same run: counts of checkpoints, shares of time, ratios.

#include <conch/fmq_lock.hpp>

#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::fmq_lock;
using std::chrono::steady_clock;

namespace {

/// Threads that hold the lock for ever but for their checkpoints, each after that much work.
class hogs {
public:
  hogs(fmq_lock& lock, const std::vector<steady_clock::duration>& spacings)
      : lock_(lock), held_(spacings.size()) {
    for (std::size_t i = 0; i < spacings.size(); ++i)
      threads_.emplace_back([this, i, spacing = spacings[i]] { run(i, spacing); });
  }
  hogs(const hogs&) = delete;
  hogs& operator=(const hogs&) = delete;
  ~hogs() { stop(); }

  void stop() {
    stop_ = true;
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  /// How many checkpoints there have been, of all of them.
  [[nodiscard]] std::int64_t checkpoints() const {
    return checkpoints_.load(std::memory_order_relaxed);
  }
  /// For how long each has held the lock. Precondition for these: stopped, or the caller holds it.
  [[nodiscard]] const std::vector<steady_clock::duration>& held() const { return held_; }
  /// The longest time between two checkpoints of one of them.
  [[nodiscard]] steady_clock::duration longest() const { return longest_; }
  [[nodiscard]] steady_clock::duration total() const {
    steady_clock::duration sum{};
    for (const auto held : held_) sum += held;
    return sum;
  }

private:
  void run(std::size_t self, steady_clock::duration spacing) {
    lock_.lock();
    auto begin = steady_clock::now();
    while (!stop_) {
      work_for(spacing);
      const auto now = steady_clock::now();
      held_[self] += now - begin;
      longest_ = std::max(longest_, now - begin);
      checkpoints_.fetch_add(1, std::memory_order_relaxed);
      begin = lock_.checkpoint() ? steady_clock::now() : now;  // what a checkpoint takes counts too
    }
    lock_.unlock();
  }

  fmq_lock& lock_;
  std::vector<steady_clock::duration> held_;
  steady_clock::duration longest_{};  // like held_, written by the holder alone
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> checkpoints_{0};
  std::vector<std::thread> threads_;
};

/// 1 where all are equal, 1 ÷ n where one has everything (Jain, Chiu and Hawe, 1984).
double jain_index(const std::vector<steady_clock::duration>& shares) {
  double sum = 0;
  double squares = 0;
  for (const auto share : shares) {
    const auto x = std::chrono::duration<double>(share).count();
    sum += x;
    squares += x * x;
  }
  return sum * sum / (static_cast<double>(shares.size()) * squares);
}

}  // namespace

// hogs     ─ ✓ ─ ✓ ─ ✓ ─ ✓ ─ ✓ ─ ✓ ─ …         (✓: a checkpoint; one quantum has thousands)
// thread        lock · has it ─ unlock ─ sleeps ─ lock · has it …
TEST_CASE("a thread that mostly sleeps gets in after a small part of a quantum's checkpoints",
          "[fmq]") {
  const auto count = GENERATE(1U, 4U, 8U);
  fmq_lock lock;
  hogs busy(lock, std::vector<steady_clock::duration>(count, 2us));
  await([&] { return lock.waiters() + 1 >= count && busy.checkpoints() > 0; });
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 150; ++i) {
    std::this_thread::sleep_for(500us);  // what an interactive thread does
    const auto asked = busy.checkpoints();
    lock.lock();
    waits.push_back(busy.checkpoints() - asked);
    lock.unlock();
  }
  busy.stop();
  std::sort(waits.begin(), waits.end());
  const auto median = waits[waits.size() / 2];
  const auto checkpoints_per_quantum = static_cast<double>(busy.checkpoints()) *
                                       std::chrono::duration<double>(lock.config().quantum) /
                                       std::chrono::duration<double>(busy.total());
  CAPTURE(count, median, waits.back(), checkpoints_per_quantum);
  CHECK(static_cast<double>(median) < checkpoints_per_quantum / 5);
}

// a    ─✓─✓─✓─✓················─✓─✓─✓─✓─✓─✓─✓─✓─✓─✓─✓─✓·················
// b    ·········──────────────✓··························──────────────✓   as much time as a
TEST_CASE("hogs get equal time whatever the spacing of their checkpoints", "[fmq]") {
  fmq_lock lock;
  lock.lock();  // until all of them wait: the first one's time is charged only from then on
  hogs busy(lock, {2us, 100us, 2ms, 15ms});
  await_waiters(lock, 4);
  for (bool enough = false; !enough;) {
    lock.unlock();
    std::this_thread::sleep_for(100ms);  // a part of the measurement
    lock.lock();
    // So that what the law allows, some quanta and longest holds, is little beside what each has had.
    enough = busy.total() >= 50 * (lock.config().quantum + busy.longest());
  }
  lock.unlock();
  busy.stop();
  CAPTURE(busy.held()[0].count(), busy.held()[1].count(), busy.held()[2].count(),
          busy.held()[3].count());
  CHECK(jain_index(busy.held()) >= 0.9);
}

// hogs      ─✓─✓─✓─✓─✓─✓─✓─ … until the last of the others has been in
// others    lock ··· has it, 20 times each
TEST_CASE("every waiter gets in while hogs run for ever", "[fmq]") {
  fmq_lock lock;
  hogs busy(lock, {2us, 20us, 200us, 1ms});
  std::vector<std::thread> others;
  others.reserve(6);
  int entered = 0;
  for (int i = 0; i < 6; ++i)
    others.emplace_back([&, i] {
      for (int turn = 0; turn < 20; ++turn) {
        lock.lock();
        ++entered;
        work_for(i * 100us);
        lock.unlock();
      }
    });
  for (auto& other : others) other.join();
  CHECK(entered == 6 * 20);
}

namespace {

/// The share of the lock's time that piece(held), called that many times, gets beside two hogs; it adds
/// up for how long it held the lock.
template <class Piece>
double share_beside_two_hogs(fmq_lock& lock, int pieces, Piece piece) {
  hogs busy(lock, {10us, 10us});
  await([&] { return busy.checkpoints() > 0 && lock.waiters() == 1; });
  steady_clock::duration held{};
  for (int i = 0; i < pieces; ++i) piece(held);
  busy.stop();
  return std::chrono::duration<double>(held) / std::chrono::duration<double>(held + busy.total());
}

void hold_for(fmq_lock& lock, steady_clock::duration time, steady_clock::duration& held) {
  lock.lock();
  const auto begin = steady_clock::now();
  work_for(time);
  held += steady_clock::now() - begin;
  lock.unlock();
}

constexpr double fair_share = 1.0 / 3;

}  // namespace

// hogs     ─✓─✓─✓─ …
// fresh    thread 1: lock ··· 6 ms ─ unlock; thread 2: lock ··· 6 ms ─ unlock; …
TEST_CASE("a fresh thread for each piece of work gets no more than a fair share and its margin",
          "[fmq]") {
  fmq_lock lock;
  const double share = share_beside_two_hogs(lock, 50, [&](steady_clock::duration& held) {
    std::thread([&] { hold_for(lock, 6ms, held); }).join();
  });
  CAPTURE(share);
  CHECK(share < 1.3 * fair_share);
}

// hogs     ─✓─✓─✓─✓─ …
// dodger   lock ··· 4 ms ─ unlock ─ lock ··· 4 ms ─ unlock ─ …      (its quantum would be 5 ms)
TEST_CASE("letting go before the quantum ends gets no more than a fair share and its margin",
          "[fmq]") {
  fmq_lock lock;
  const double share = share_beside_two_hogs(
      lock, 75, [&](steady_clock::duration& held) { hold_for(lock, 4ms, held); });
  CAPTURE(share);
  CHECK(share < 1.3 * fair_share);
}

// thread   ─ unlock ─ getppid ─ lock ─ unlock ─ getppid ─ lock ─ …     (no switch in between)
// hog      ······································· has it ─✓─✓·········
TEST_CASE("a release around a call that returns at once costs no context switch", "[fmq]") {
  const auto context_switches = [] {
    ::rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
  };
  fmq_lock lock;
  hogs busy(lock, {10us});
  await([&] { return busy.checkpoints() > 0; });
  constexpr int releases = 20'000;
  int beside_waiter = 0;
  lock.lock();
  const auto before = context_switches();
  for (int i = 0; i < releases; ++i) {
    work_for(2us);
    if (lock.waiters() != 0) ++beside_waiter;
    lock.unlock();
    (void)::getppid();
    lock.lock();
  }
  const auto switches = context_switches() - before;
  lock.unlock();
  busy.stop();
  CAPTURE(switches, beside_waiter);
  REQUIRE(beside_waiter > releases / 2);
  // Instrumented, the call takes long enough for the hog, which looks for the lock for a while before
  // it sleeps, to come in between: then this only shows that nothing breaks.
  if (!instrumented) CHECK(static_cast<double>(switches) / releases < 0.2);
}

// main     lock ─ (waits: 2) ─────── unlock ─ try: has it ──────── unlock
// a        try_lock_until(d) ········ the heir: finds it taken, d: gives up
// b             lock ······················································ has it
TEST_CASE("a free lock is taken by a sleeping waiter when the heir has given up", "[fmq]") {
  fmq_lock lock;
  const int count = rounds(2'000);
  std::barrier round(3);
  std::atomic<steady_clock::time_point> deadline{};
  std::atomic<bool> a_returned{false};
  int b_entered = 0;
  std::thread a([&] {
    for (int i = 0; i < count; ++i) {
      round.arrive_and_wait();
      deadline = steady_clock::now() + 200us;
      if (lock.try_lock_until(deadline.load())) lock.unlock();
      a_returned = true;
      round.arrive_and_wait();
    }
  });
  std::thread b([&] {
    for (int i = 0; i < count; ++i) {
      round.arrive_and_wait();
      await([&] { return lock.waiters() == 1 || a_returned; });
      lock.lock();
      ++b_entered;
      lock.unlock();
      round.arrive_and_wait();
    }
  });
  for (int i = 0; i < count; ++i) {
    a_returned = false;
    lock.lock();
    round.arrive_and_wait();
    await([&] { return lock.waiters() == 2 || a_returned; });
    await(
        [&] { return steady_clock::now() >= deadline.load() - std::chrono::microseconds(i % 60); });
    lock.unlock();
    if (lock.try_lock()) {  // ahead of the heir
      work_for(60us);
      lock.unlock();
    }
    round.arrive_and_wait();
  }
  a.join();
  b.join();
  CHECK(b_entered == count);
  CHECK(lock.waiters() == 0);
  CHECK_FALSE(lock.is_locked());
}
