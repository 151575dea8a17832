// SPDX-License-Identifier: MIT

// Runs of conch-lab: every part is played, and what is counted is counted exactly.

#include <cpus.hpp>
#include <option_values.hpp>
#include <participant.hpp>
#include <run.hpp>

#include "../../bench/common/futex_counter.hpp"
#include "../../bench/common/machine.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <cstdint>
#include <string_view>
#include <thread>

using namespace conch::lab;  // NOLINT(google-build-using-namespace): what is under test
using namespace std::chrono_literals;

namespace {

run_result run_of(const lock_entry& lock, run_plan plan) {
  plan.time = 200ms;  // on a busy machine too, for each thread to run in
  plan.unit = calibrate_work();
  interrupts interrupts;
  return run(lock, plan, interrupts, {}).value();
}

lock_entry lock_named(std::string_view name) {
  return one_named("--locks", "lock", name, all_locks());
}

run_result run_of(run_plan plan) { return run_of(lock_named("fmq_lock"), std::move(plan)); }

}  // namespace

TEST_CASE("a run with any number of connections loses no message") {
  const auto connections = GENERATE(1U, 2U, 64U);
  const auto seen = run_of({.hogs = 1, .connections = connections});
  CHECK(seen.failures.empty());
  REQUIRE(seen.echo);
  CHECK(seen.echo->slowest_over_mean <= 1);
  CHECK(seen.echo->hold_share > 0);
}

TEST_CASE("answers that take longer hold the lock longer") {
  const auto quick = run_of({.connections = 4});
  const auto slow = run_of({.connections = 4, .burst = 5ms});
  CHECK(slow.failures.empty());
  CHECK(slow.echo->hold_share > quick.echo->hold_share);
}

TEST_CASE("every adversary gets the lock, and lets it go again") {
  for (const auto& adversary : all_adversaries()) {
    CAPTURE(adversary.name);
    const auto seen = run_of({.hogs = 1, .connections = 0, .adversary = adversary});
    CHECK(seen.failures.empty());
    CHECK(seen.adversary_over_hog.value() > 0);
  }
}

TEST_CASE("a thread may keep to the first CPU, or to all others") {
  const auto all = usable_cpus();
  if (all == 1) SKIP("there is one CPU");
  const auto left_by = [](auto restrict) {
    ::cpu_set_t cpus;
    std::thread([&] {
      restrict();
      ::sched_getaffinity(0, sizeof cpus, &cpus);
    }).join();
    return cpus;
  };
  const auto first = left_by([] { use_only(1); });
  const auto others = left_by([] { use_all_but_first(); });
  CHECK(CPU_COUNT(&first) == 1);
  CHECK(static_cast<unsigned>(CPU_COUNT(&others)) == all - 1);
  ::cpu_set_t both;
  CPU_AND(&both, &first, &others);
  CHECK(CPU_COUNT(&both) == 0);
}

TEST_CASE("a run with bound threads plays every part, and hogs share one CPU") {
  if (usable_cpus() == 1) SKIP("there is one CPU");
  const auto with_echo = run_of({.hogs = 2, .connections = 2, .burners = 1, .bound = true});
  CHECK(with_echo.failures.empty());
  CHECK(with_echo.echo.value().requests_per_second > 0);
  const auto seen = run_of({.hogs = 2, .connections = 0, .burners = 1, .bound = true});
  const auto used = (seen.all_hog_work_per_second() + seen.burner_work_per_second) *
                    std::chrono::duration<double>(seen.plan.unit.time).count();
  CHECK(used < 1.5);  // CPUs, of which hogs and burner keep two busy where they may
}

TEST_CASE("burners work, and use no lock") {
  const auto seen = run_of({.connections = 0, .burners = 2});
  CHECK(seen.burner_work_per_second > 0);
  CHECK(seen.switches_per_second == 0);
}

namespace {

/// A lock that makes everybody wait, and that another thread has had at each checkpoint.
struct slow_lock {
  static constexpr conch::lock_traits traits{
      .name = "slow_lock", .fairness = conch::fairness::none, .checkpoint_switches = true};
  static void lock() { std::this_thread::sleep_for(2ms); }
  static void unlock() {}
  static bool checkpoint() {
    std::this_thread::sleep_for(3ms);
    return true;
  }
};

}  // namespace

// asks        gained    checkpoint    gained again    lets go
//   |-- wait 2 ms --|-- work --|-- wait 3 ms --|-- work --|
TEST_CASE("waiting for a lock is not holding it, at a checkpoint as little as at first") {
  slow_lock lock;
  turn turn;
  participant self(lock, turn, 0, calibrate_work());
  const auto start = conch::lab::clock::now();
  self.acquire();
  self.work(1);
  self.release();
  const auto elapsed = conch::lab::clock::now() - start;
  const auto times = self.account().times;
  CHECK(times.gains == 2);
  CHECK(times.longest_wait >= 3ms);
  CHECK(times.held <= elapsed - 5ms);
  CHECK(times.longest_gap <= times.held);
  CHECK_FALSE(turn.broken(self.account().entries));
}

TEST_CASE("an fmq_lock's wakes and handoffs are counted, and no other lock's") {
  const auto counted = with_counted_wakes(lock_named("fmq_lock"));
  REQUIRE(counted);
  const auto wakes = run_of(*counted, {.hogs = 3}).wakes.value();
  CHECK(wakes.handoffs > 0);
  CHECK(wakes.wakes > 0);
  CHECK_FALSE(with_counted_wakes(lock_named("timed_gil")));
}

TEST_CASE("the futex calls of a thread are counted one by one, and work as before") {
  bool counts = false;
  std::uint64_t counted = 0;
  long woken = -1;
  std::thread([&] {
    counts = conch::bench::count_futex_calls_of_this_thread();
    const auto before = conch::bench::futex_calls();
    std::uint32_t word = 0;
    for (int i = 0; i < 1'000; ++i)
      woken = ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
    counted = conch::bench::futex_calls() - before;
  }).join();
  if (!counts) SKIP("the system does not let them be counted");
  CHECK(counted == 1'000);
  CHECK(woken == 0);
}

TEST_CASE("a run in which futex calls are counted has their number for each acquisition") {
  const auto seen = run_of({.hogs = 2, .count_futex_calls = true});
  CHECK(seen.failures.empty());
  if (!seen.futex_calls_per_acquisition) SKIP("the system does not let them be counted");
  CHECK(*seen.futex_calls_per_acquisition > 0);
}
