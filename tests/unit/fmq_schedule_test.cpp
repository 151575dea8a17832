// SPDX-License-Identifier: MIT

// What the schedule of an fmq_lock charges to whom, where the simulator would need luck to come by.

#include <conch/fmq/config.hpp>
#include <conch/fmq/schedule.hpp>
#include <conch/platform/posix.hpp>

#include <catch2/catch_test_macros.hpp>

#include <chrono>

using namespace std::chrono_literals;
using platform = conch::posix_platform;
using record = conch::fmq::record<platform>;

namespace {

constexpr platform::time_point at(platform::duration time) { return platform::time_point(time); }

}  // namespace

// A host looks at the clock before it lends. If it lacks a CPU in between, the waiter that had asked may be
// gone, accounts be settled, and the lock be lent to one that has come since.
TEST_CASE("a visit that seems to begin before accounts were settled begins when they were",
          "[fmq]") {
  const conch::fmq_config config;
  conch::fmq::schedule<platform> schedule(config);
  record host;
  record guest;
  schedule.start(at(10ms));

  SECTION("when the guest gives the lock back") {
    schedule.charge_visit(host, guest, at(6ms), at(11ms));
    CHECK(platform::duration(host.virtual_time) == 0ms);
    CHECK(platform::duration(guest.virtual_time) == 1ms);
    CHECK(schedule.settled_at() == at(11ms));
  }
  SECTION("when the guest keeps it") {
    schedule.charge_host(host, at(6ms));
    CHECK(platform::duration(host.virtual_time) == 0ms);
    CHECK(schedule.settled_at() == at(10ms));
  }
}
