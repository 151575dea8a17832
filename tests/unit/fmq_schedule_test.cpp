// SPDX-License-Identifier: MIT

// What the schedule of an fmq_lock charges to whom, where the simulator would need luck to come by.

#include <conch/fmq/config.hpp>
#include <conch/fmq/schedule.hpp>
#include <conch/fmq/visit.hpp>
#include <conch/platform/posix.hpp>

#include <catch2/catch_test_macros.hpp>

#include <chrono>

using namespace std::chrono_literals;
using platform = conch::posix_platform;
using record = conch::fmq::record<platform>;

namespace {

constexpr platform::time_point at(platform::duration time) { return platform::time_point(time); }

}  // namespace

// Until a host says when it has lent the lock, all that is known is when the visit was offered.
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

// guest  |offers        gives it back
// host          |lends     |looks at the clock
TEST_CASE("a visit begins when its host has looked, and before that when it was offered", "[fmq]") {
  conch::drop_request<platform> request;
  conch::fmq::visit<platform> visit(request);
  visit.offer(platform::this_thread(), at(5ms));
  REQUIRE(visit.lend());
  CHECK(visit.began_by(at(9ms)) == at(5ms));
  visit.note_begin(at(5ms), at(7ms));
  CHECK(visit.began_by(at(9ms)) == at(7ms));
  CHECK(visit.began_by(at(6ms)) == at(6ms));  // by a guest that has looked before its slow host
  visit.give_back();
  visit.offer(platform::this_thread(), at(12ms));
  REQUIRE(visit.lend());
  visit.note_begin(at(5ms), at(13ms));  // by the first host, which was kept from running
  CHECK(visit.began_by(at(14ms)) == at(12ms));
}
