// SPDX-License-Identifier: MIT
// The model of large machines, with costs that make each of its rules visible.
#include "scale/computer.hpp"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <stdexcept>
#include <vector>

namespace conch::sim::scale {
namespace {

using namespace std::chrono_literals;

constexpr auto patience = 10s;

/// Costs without a range, each with a figure of its own.
machine_costs plain_costs() {
  machine_costs costs;
  costs.cache_line = {60ns, 60ns};
  costs.modify = 2ns;
  costs.wake_from_idle = {14us, 14us};
  costs.context_switch = 1us;
  costs.system_call = 300ns;
  costs.wake_call = 700ns;
  costs.wake_call_to_idle = 5us;
  costs.timer_slack = {0ns, 0ns};
  costs.time_slice = 3ms;
  costs.wake_advantage = 1ms;
  costs.sleeper_credit = 3ms;
  return costs;
}

struct stopwatch {
  time_point begin = computer::here().now();
  [[nodiscard]] duration time() const { return computer::here().now() - begin; }
};

TEST_CASE("as many threads as there are cores work at the same time, more take turns") {
  for (const unsigned cores : {1U, 2U, 4U}) {
    computer machine(cores, plain_costs(), 1);
    std::vector<time_point> ends;
    for (int i = 0; i < 4; ++i)
      machine.add([&] {
        machine.spend(6ms);
        ends.push_back(machine.now());
      });
    REQUIRE(machine.run(patience) == computer::ending::done);
    const auto work = ends.back() - time_point{};
    CAPTURE(cores, work.count());
    CHECK(work >= 24ms / cores);
    CHECK(work < 24ms / cores + 100us);  // switches
  }
}

TEST_CASE("a line of the cache costs where another core has had it since") {
  computer machine(2, plain_costs(), 1);
  cache_line line;
  duration second{};
  duration after_the_other{};
  machine.add([&] {
    machine.modify(line);
    const stopwatch own;
    machine.modify(line);
    second = own.time();
    machine.spend(10us);
    const stopwatch lost;
    machine.modify(line);
    after_the_other = lost.time();
  });
  machine.add([&] {
    machine.spend(5us);
    machine.modify(line);
  });
  REQUIRE(machine.run(patience) == computer::ending::done);
  CHECK(second == 2ns);
  CHECK(after_the_other == 60ns);
}

TEST_CASE("a sleeper runs on an idle core when it has been woken and the wake has taken its time") {
  computer machine(2, plain_costs(), 1);
  int place = 0;
  duration slept{};
  machine.add([&] {
    const stopwatch watch;
    CHECK(machine.sleep(&place, computer::reason::lock));
    slept = watch.time();
  });
  machine.add([&] {
    machine.spend(100us);
    machine.wake(0, &place);
    machine.spend(100us);
  });
  REQUIRE(machine.run(patience) == computer::ending::done);
  CHECK(slept == 100us + 5us + 14us);
  CHECK(machine.lock_wakes() == 1);
}

TEST_CASE("a sleep ends at its deadline where nobody wakes the sleeper, and says so") {
  computer machine(1, plain_costs(), 1);
  int place = 0;
  machine.add([&] {
    const auto deadline = machine.now() + 50us;
    CHECK_FALSE(machine.sleep(&place, computer::reason::lock, deadline));
    CHECK(machine.now() >= deadline);
  });
  CHECK(machine.run(patience) == computer::ending::done);
}

TEST_CASE("a sleeper that nobody wakes is found out") {
  computer machine(1, plain_costs(), 1);
  int place = 0;
  machine.add([&] { machine.sleep(&place, computer::reason::lock); });
  CHECK(machine.run(patience) == computer::ending::stuck);
}

TEST_CASE("equal seeds are equal runs") {
  const auto end_of = [](std::uint64_t seed) {
    computer machine(2, machine_costs(), seed);
    cache_line line;
    for (int i = 0; i < 3; ++i)
      machine.add([&] {
        for (int n = 0; n < 100; ++n) machine.modify(line);
      });
    REQUIRE(machine.run(patience) == computer::ending::done);
    return machine.now();
  };
  CHECK(end_of(1) == end_of(1));
  CHECK(end_of(1) != end_of(2));
}

TEST_CASE("a machine without cores, or with too many, is refused") {
  CHECK_THROWS_AS(computer(0, plain_costs(), 1), std::invalid_argument);
  CHECK_THROWS_AS(computer(computer::most_cores + 1, plain_costs(), 1), std::invalid_argument);
}

}  // namespace
}  // namespace conch::sim::scale
