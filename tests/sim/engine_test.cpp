// SPDX-License-Identifier: MIT
#include "engine/platform.hpp"
#include "engine/search.hpp"

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

template <class T>
using atomic = sim_platform::atomic<T>;
template <class T>
using plain = sim_platform::plain<T>;

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto seq_cst = std::memory_order_seq_cst;

constexpr bounds thorough{.preemptions = 3, .old_values = 3, .faults = 0};

report everything(std::function<void()> body, bounds within = thorough, machine where = {}) {
  const auto how = make_exhaustive(within);
  return explore({"test", std::move(body), where}, *how, 1'000'000);
}

/// Both threads store to their own flag and read the other's: can both miss it?
report store_buffering(std::memory_order stores, std::memory_order loads, bool fenced = false) {
  return everything([=] {
    atomic<int> x{0};
    atomic<int> y{0};
    int seen_x = 0;
    int seen_y = 0;
    const auto a = spawn([&] {
      x.store(1, stores);
      if (fenced) sim_platform::fence(seq_cst);
      seen_y = y.load(loads);
    });
    const auto b = spawn([&] {
      y.store(1, stores);
      if (fenced) sim_platform::fence(seq_cst);
      seen_x = x.load(loads);
    });
    join(a);
    join(b);
    check(seen_x + seen_y != 0, "both stores were missed");
  });
}

/// One thread writes data and sets a flag; the other sees the flag: does it see the data?
report message_passing(std::memory_order stores, std::memory_order loads) {
  return everything([=] {
    atomic<int> data{0};
    atomic<int> flag{0};
    const auto a = spawn([&] {
      data.store(1, relaxed);
      flag.store(1, stores);
    });
    const auto b = spawn([&] {
      if (flag.load(loads) == 1) check(data.load(relaxed) == 1, "the flag came without the data");
    });
    join(a);
    join(b);
  });
}

/// Two threads store, two others look at both stores in opposite orders: can they disagree?
report independent_reads(std::memory_order stores, std::memory_order loads) {
  return everything(
      [=] {
        atomic<int> x{0};
        atomic<int> y{0};
        std::array<int, 4> seen{};
        std::array threads{
            spawn([&] { x.store(1, stores); }),
            spawn([&] { y.store(1, stores); }),
            spawn([&] {
              seen[0] = x.load(loads);
              seen[1] = y.load(loads);
            }),
            spawn([&] {
              seen[2] = y.load(loads);
              seen[3] = x.load(loads);
            }),
        };
        for (auto thread : threads) join(thread);
        check(seen != std::array{1, 0, 1, 0}, "the readers disagree");
      },
      {.preemptions = 1, .old_values = 2, .faults = 0});
}

class spin_lock {
public:
  spin_lock(std::memory_order lock_order, std::memory_order unlock_order)
      : lock_order_(lock_order), unlock_order_(unlock_order) {}
  void lock() {
    while (taken_.exchange(true, lock_order_)) sim_platform::relax();
  }
  void unlock() { taken_.store(false, unlock_order_); }

private:
  atomic<bool> taken_{false};
  std::memory_order lock_order_;
  std::memory_order unlock_order_;
};

std::function<void()> counting(std::memory_order lock_order, std::memory_order unlock_order,
                               int threads = 2) {
  return [=] {
    spin_lock lock(lock_order, unlock_order);
    plain<int> count{0};
    std::vector<unsigned> all;
    all.reserve(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i)
      all.push_back(spawn([&] {
        for (int round = 0; round < 2; ++round) {
          lock.lock();
          count = count + 1;
          step();
          lock.unlock();
        }
      }));
    for (auto thread : all) join(thread);
    check(count == threads * 2, "an increment was lost");
  };
}

/// A lock whose waiter looks, and then sleeps, without looking again.
void sleepy_lock() {
  atomic<bool> taken{false};
  atomic<bool> somebody_waits{false};
  sim_platform::semaphore wake{0};
  const auto both = [&] {
    while (taken.exchange(true)) {
      somebody_waits.store(true);
      wake.acquire();
    }
    taken.store(false);
    if (somebody_waits.exchange(false)) wake.release();
  };
  const auto a = spawn(both);
  const auto b = spawn(both);
  join(a);
  join(b);
}

TEST_CASE("store buffering is seen with relaxed and acquire-release, not with seq_cst") {
  CHECK(store_buffering(relaxed, relaxed).found);
  CHECK(store_buffering(release, acquire).found);
  CHECK_FALSE(store_buffering(seq_cst, seq_cst).found);
  CHECK_FALSE(store_buffering(relaxed, relaxed, true).found);
}

TEST_CASE("message passing fails with a relaxed half, and never with release and acquire") {
  CHECK(message_passing(relaxed, acquire).found);
  CHECK(message_passing(release, relaxed).found);
  const auto good = message_passing(release, acquire);
  CHECK_FALSE(good.found);
  CHECK(good.complete);
  CHECK_FALSE(message_passing(seq_cst, seq_cst).found);
}

TEST_CASE("independent reads of independent writes agree with seq_cst alone") {
  CHECK(independent_reads(release, acquire).found);
  CHECK_FALSE(independent_reads(seq_cst, seq_cst).found);
}

TEST_CASE("a thread does not read backwards") {
  const auto result = everything([] {
    atomic<int> x{0};
    const auto a = spawn([&] {
      x.store(1, relaxed);
      x.store(2, relaxed);
    });
    const auto b = spawn([&] {
      const int first = x.load(relaxed);
      check(x.load(relaxed) >= first, "read backwards");
    });
    join(a);
    join(b);
  });
  CHECK_FALSE(result.found);
  CHECK(result.complete);
}

TEST_CASE("a release sequence goes through the read-modify-writes of other threads") {
  const auto chain = [](std::memory_order head) {
    return everything([=] {
      atomic<int> flag{0};
      plain<int> data{0};
      const auto a = spawn([&] {
        data = 1;
        flag.store(1, head);
      });
      const auto b = spawn([&] {
        int one = 1;
        flag.compare_exchange_strong(one, 2, relaxed, relaxed);
      });
      const auto c = spawn([&] {
        if (flag.load(acquire) == 2) check(data == 1, "the data is missing");
      });
      join(a);
      join(b);
      join(c);
    });
  };
  CHECK_FALSE(chain(release).found);
  CHECK(chain(relaxed).found);
}

TEST_CASE("fences order relaxed operations") {
  const auto pass = [](bool fenced) {
    return everything([=] {
      atomic<int> flag{0};
      plain<int> data{0};
      const auto a = spawn([&] {
        data = 1;
        if (fenced) sim_platform::fence(release);
        flag.store(1, relaxed);
      });
      const auto b = spawn([&] {
        if (flag.load(relaxed) != 1) return;
        sim_platform::fence(acquire);
        check(data == 1, "the data is missing");
      });
      join(a);
      join(b);
    });
  };
  CHECK_FALSE(pass(true).found);
  CHECK(pass(false).found);
}

TEST_CASE("a correct spin lock passes every schedule with two preemptions") {
  const auto result =
      everything(counting(acquire, release), {.preemptions = 2, .old_values = 2, .faults = 0});
  CHECK_FALSE(result.found);
  CHECK(result.complete);
  CHECK(result.schedules > 50);
}

TEST_CASE("a spin lock with a weakened order is a data race") {
  CHECK(everything(counting(relaxed, release)).found);
  CHECK(everything(counting(acquire, relaxed)).found);
}

TEST_CASE("a lost wake-up is found, and its replay fails in the same way") {
  const scenario sleepy{"sleepy", sleepy_lock};
  const auto how = make_exhaustive({.preemptions = 2, .old_values = 0, .faults = 0});
  const auto result = explore(sleepy, *how);
  REQUIRE(result.found);
  CHECK(result.found->what.find("nothing can run") == 0);
  const auto again = replay(sleepy, result.found->replay);
  CHECK(again.failure == result.found->what);
  CHECK(again.trace == result.found->trace);

  const auto roaming = roam(sleepy, 1, 10'000);
  REQUIRE(roaming.found);
  CHECK(replay(sleepy, roaming.found->replay).failure == roaming.found->what);
}

TEST_CASE("the same seed is the same run, step by step") {
  const auto body = counting(acquire, release, 3);
  const auto hash = [&](std::uint64_t seed, std::uint64_t first) {
    const auto how = make_random(seed, first);
    how->begin();
    return run(body, {}, *how).hash;
  };
  CHECK(hash(1, 0) == hash(1, 0));
  CHECK(hash(1, 7) == hash(1, 7));
  CHECK(hash(1, 0) != hash(2, 0));
  CHECK(hash(1, 0) != hash(1, 1));
}

TEST_CASE("a spinner that nobody can free is a livelock") {
  const auto result = everything([] {
    atomic<bool> flag{false};
    while (!flag.load()) sim_platform::relax();
  });
  REQUIRE(result.found);
  CHECK(result.found->what.find("livelock") == 0);
}

TEST_CASE("time moves only while nothing can run") {
  const auto result = everything([] {
    const auto begin = clock::now();
    const auto a = spawn([&] {
      work(5ms);
      check(clock::now() - begin == 5ms, "too late");
    });
    sim_platform::parker here;
    check(!here.park_until(begin + 2ms), "a token from nowhere");
    check(clock::now() - begin == 2ms, "not at the deadline");
    join(a);
    check(clock::now() - begin == 5ms, "joined too late");
  });
  CHECK_FALSE(result.found);
}

TEST_CASE(
    "a token left before the park ends it, and a sleeper sleeps on until its waker wakes it") {
  const auto without_wake = everything([] {
    sim_platform::parker here;
    const auto a = spawn([&] { static_cast<void>(here.unpark()); });
    here.park();
    join(a);
  });
  REQUIRE(without_wake.found);
  CHECK(without_wake.found->what.find("its token") != std::string::npos);

  const auto with_wake = everything([] {
    sim_platform::parker here;
    const auto a = spawn([&] { here.unpark().wake(); });
    here.park();
    join(a);
  });
  CHECK_FALSE(with_wake.found);
  CHECK(with_wake.complete);
}

TEST_CASE("an operation on an object after its end is found") {
  const auto result = everything([] {
    alignas(atomic<int>) std::array<std::byte, sizeof(atomic<int>)> memory{};
    auto* flag = new (memory.data()) atomic<int>{0};
    const auto a = spawn([&] { flag->store(1); });
    step();
    flag->~atomic();
    join(a);
  });
  REQUIRE(result.found);
  CHECK(result.found->what.find("use after the end") == 0);
}

TEST_CASE("an object of the platform that is never freed is a leak") {
  const auto result = everything([] {
    static_cast<void>(new atomic<int>{0});  // NOLINT(clang-analyzer-cplusplus.NewDeleteLeaks)
  });
  REQUIRE(result.found);
  CHECK(result.found->what.find("leaked") == 0);
}

TEST_CASE("a condition may lose no signal, and a wait may end in vain where faults are allowed") {
  const auto handover = [](bool looks_again) {
    return [=] {
      sim_platform::mutex guard;
      sim_platform::condition changed;
      plain<bool> ready{false};
      const auto a = spawn([&] {
        guard.lock();
        ready = true;
        changed.notify_one();
        guard.unlock();
      });
      guard.lock();
      while (!ready) {
        changed.wait(guard);
        if (!looks_again) break;
      }
      check(ready, "went on too early");
      guard.unlock();
      join(a);
    };
  };
  const bounds faulty{.preemptions = 2, .old_values = 0, .faults = 1};
  CHECK_FALSE(everything(handover(true), faulty, {.spurious = true}).found);
  CHECK_FALSE(everything(handover(false), faulty, {.spurious = false}).found);
  CHECK(everything(handover(false), faulty, {.spurious = true}).found);
}

TEST_CASE("a wait for a semaphore or a token outlives the signals that interrupt it") {
  constexpr auto patience = std::chrono::microseconds(5);
  const auto waits = [patience] {
    sim_platform::semaphore free{0};
    sim_platform::parker sleeper;
    const auto poster = spawn([&] { free.release(); });
    check(free.try_acquire_until(clock::now() + patience), "the semaphore was not acquired");
    join(poster);
    const auto deadline = clock::now() + patience;
    check(!sleeper.park_until(deadline), "a token that nobody left");
    check(clock::now() >= deadline, "a wait ended before its deadline");
  };
  const bounds faulty{.preemptions = 2, .old_values = 0, .faults = 3};
  CHECK_FALSE(everything(waits, faulty, {.signals = true}).found);
  sim_platform::semaphore::retries = false;
  const auto result = everything(waits, faulty, {.signals = true});
  sim_platform::semaphore::retries = true;
  REQUIRE(result.found);
  CHECK(result.found->what == "the semaphore was not acquired");
}

TEST_CASE("a wake is on its way until its thread runs") {
  const auto woken = [] {
    sim_platform::parker sleeper;
    const auto a = spawn([&] {
      sleeper.park();
      check(wakes_on_their_way() == 0, "a wake that has come");
    });
    work(std::chrono::microseconds(1));
    check(wakes_on_their_way() == 0, "a wake before its time");
    sleeper.unpark().wake();
    check(wakes_on_their_way() == 1, "no wake");
    work(std::chrono::microseconds(9));
    check(wakes_on_their_way() == 0, "a wake that never ends");
    join(a);
  };
  CHECK_FALSE(everything(woken).found);
}

TEST_CASE("PCT finds a bug of depth three") {
  const scenario sleepy{"sleepy", sleepy_lock};
  const auto how = make_pct(3, 1);
  CHECK(explore(sleepy, *how, 10'000).found);
}

TEST_CASE("thousands of small schedules and a hundred thousand steps take a moment") {
  const auto begin = std::chrono::steady_clock::now();
  const auto how = make_random(1);
  const auto small = explore({"small", counting(acquire, release, 3)}, *how, 20'000);
  const auto middle = std::chrono::steady_clock::now();
  const auto large = explore({"large",
                              [] {
                                atomic<int> x{0};
                                const auto loop = [&] {
                                  for (int i = 0; i < 50'000; ++i) x.fetch_add(1, relaxed);
                                };
                                const auto a = spawn(loop);
                                const auto b = spawn(loop);
                                join(a);
                                join(b);
                              },
                              {.steps_without_progress = 1'000'000}},
                             *how, 1);
  const auto end = std::chrono::steady_clock::now();
  const auto seconds = [](auto time) { return std::chrono::duration<double>(time).count(); };
  WARN(20'000 / seconds(middle - begin)
       << " small schedules a second, " << static_cast<double>(large.steps) / seconds(end - middle)
       << " steps a second");
  CHECK_FALSE(small.found);
  CHECK_FALSE(large.found);
}

}  // namespace
}  // namespace conch::sim
