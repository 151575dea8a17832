// SPDX-License-Identifier: MIT

// What conch-lab's subcommands make of what was typed.

#include <limits/limits_options.hpp>
#include <option_values.hpp>
#include <stress_options.hpp>

#include "../../bench/common/machine.hpp"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace conch::lab;  // NOLINT(google-build-using-namespace): what is under test
using namespace std::chrono_literals;

TEST_CASE("conch-lab stress has one connection and nothing special unless told otherwise") {
  const auto options = checked(typed_stress_options{});
  CHECK(options.connections == 1);
  CHECK(options.burst == 0ms);
  CHECK(options.burners == 0);
  CHECK_FALSE(options.bind);
  CHECK_FALSE(options.adversary);
  CHECK_FALSE(options.cpus);
  CHECK(options.closing_table);
}

TEST_CASE("conch-lab stress takes connections, bursts, burners and an adversary") {
  const auto options = checked(typed_stress_options{
      .connections = "64", .burst = "3", .adversary = "early", .burners = "2", .cpus = "1"});
  CHECK(options.connections == 64);
  CHECK(options.burst == 3ms);
  CHECK(options.burners == 2);
  CHECK(options.adversary.value().name == "early");
  CHECK(options.cpus == 1U);
  CHECK_FALSE(options.closing_table);
}

TEST_CASE("conch-lab stress binds threads to CPUs where there are two") {
  CHECK_THROWS_AS(checked(typed_stress_options{.bind = true, .cpus = "1"}), usage_error);
  if (usable_cpus() >= 2)
    CHECK(checked(typed_stress_options{.bind = true}).bind);
  else
    CHECK_THROWS_AS(checked(typed_stress_options{.bind = true}), usage_error);
}

TEST_CASE("conch-lab stress without the echo has no connection, and no option that speaks of one") {
  CHECK(checked(typed_stress_options{.no_echo = true}).connections == 0);
  CHECK_THROWS_AS(checked(typed_stress_options{.no_echo = true, .connections = "2"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.no_echo = true, .burst = "2"}), usage_error);
}

TEST_CASE("conch-lab stress refuses what it cannot do") {
  CHECK_THROWS_AS(checked(typed_stress_options{.connections = "0"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.connections = "1,2"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.connections = "257"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.burst = "1.5"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.adversary = "nobody"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.burners = "-1"}), usage_error);
  const auto too_many = std::to_string(usable_cpus() + 1);
  CHECK_THROWS_AS(checked(typed_stress_options{.cpus = too_many}), usage_error);
}

TEST_CASE("conch-lab stress has a workload of Lua scripts for conch's own locks, if there is Lua") {
  CHECK(checked(typed_stress_options{}).workload.name == "native");
  CHECK_THROWS_AS(checked(typed_stress_options{.workload = "nothing"}), usage_error);
  if (!has_lua) {
    CHECK_THROWS_AS(checked(typed_stress_options{.workload = "lua"}), usage_error);
    return;
  }
  const auto options = checked(typed_stress_options{.workload = "lua"});
  CHECK(options.locks.size() == all_locks().size() - 1);
  CHECK_FALSE(options.closing_table);
  CHECK_THROWS_AS(checked(typed_stress_options{.workload = "lua", .locks = "std::mutex"}),
                  usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.workload = "lua", .spacing = "1:2"}), usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.workload = "lua", .adversary = "early"}),
                  usage_error);
  CHECK_THROWS_AS(checked(typed_stress_options{.workload = "lua", .no_echo = true}), usage_error);
}

TEST_CASE("conch-lab limits measures fmq_lock in all trials unless told otherwise") {
  const auto options = checked(typed_limits_options{});
  CHECK(options.lock.name == "fmq_lock");
  CHECK(options.trials.size() == all_trials().size());
}

TEST_CASE("conch-lab limits measures the trials that were named, in that order") {
  const auto options = checked(typed_limits_options{.trials = "wakes,echo"});
  REQUIRE(options.trials.size() == 2);
  CHECK(options.trials[0].name == "wakes");
  CHECK(options.trials[1].name == "echo");
}

TEST_CASE("conch-lab limits refuses what it cannot do") {
  CHECK_THROWS_AS(checked(typed_limits_options{.lock = "no lock"}), usage_error);
  CHECK_THROWS_AS(checked(typed_limits_options{.trials = "echo,echo"}), usage_error);
  CHECK_THROWS_AS(checked(typed_limits_options{.trials = ""}), usage_error);
  CHECK_THROWS_AS(checked(typed_limits_options{.repetitions = "0"}), usage_error);
}
