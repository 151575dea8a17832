// SPDX-License-Identifier: MIT

// What the schedule of an fmq_lock charges to whom, and the stages of its visits, where the simulator would need
// luck to come by.

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

// A guest that has not noticed yet has not said since when it has had the lock.
TEST_CASE("a visit that seems to begin before accounts were settled begins when they were",
          "[fmq]") {
  const conch::fmq_config config;
  conch::fmq::schedule<platform> schedule(config);
  record host;
  schedule.start(at(10ms));
  schedule.charge_host(host, at(6ms));
  CHECK(platform::duration(host.virtual_time) == 0ms);
  CHECK(schedule.settled_at() == at(10ms));
}

// host   |--10 ms--~2~--8 ms--~1~--4 ms--|      ~ the lock is lent
TEST_CASE("a host pays for all but its visits, and a guest for those", "[fmq]") {
  const conch::fmq_config config;
  conch::fmq::schedule<platform> schedule(config);
  record host;
  record guest;
  CHECK_FALSE(schedule.excuse(host));
  host.virtual_time = 3ms;
  schedule.charge(host, at(10ms));  // from 0
  schedule.invite(guest, host);
  CHECK(platform::duration(guest.visits_left) == 13ms - config.credit_slack);
  host.lent_for = 2ms;
  CHECK(schedule.excuse(host));
  CHECK_FALSE(schedule.excuse(host));
  CHECK(schedule.settled_at() == at(12ms));
  schedule.charge_guest(guest, 2ms);
  host.lent_for = 3ms;
  CHECK(schedule.excuse(host));
  schedule.charge_guest(guest, 1ms);
  schedule.charge(host, at(25ms));
  CHECK(platform::duration(host.virtual_time) == 25ms);
  CHECK(platform::duration(guest.virtual_time) == 3ms);
  CHECK(platform::duration(guest.visits_left) == 10ms - config.credit_slack);
}

TEST_CASE("a guest may come again until somebody else looks at the lock", "[fmq]") {
  using found = conch::fmq::visit<platform>::found;
  conch::drop_request<platform> request;
  conch::fmq::visit<platform> visit(request);
  constexpr platform::thread_id host = 1;
  constexpr platform::thread_id guest = 2;
  CHECK(visit.end() == found::nobody);
  CHECK_FALSE(visit.offer_again(guest));
  REQUIRE(visit.offer(host, guest));
  CHECK(request.standing());
  CHECK(visit.is_offered_to(host));
  CHECK_FALSE(visit.is_offered_to(guest));
  REQUIRE(visit.lend());
  CHECK_FALSE(request.standing());
  CHECK(visit.is_lent_by(host));
  CHECK(visit.is_lent_to(guest));
  CHECK_FALSE(visit.is_lent_to(host));
  CHECK_FALSE(visit.lend());
  CHECK_FALSE(visit.withdraw());
  REQUIRE(visit.give_back());
  CHECK_FALSE(visit.give_back());
  CHECK(visit.is_back_with(host));
  CHECK_FALSE(visit.is_back_with(guest));
  CHECK(visit.is_invited(guest));
  CHECK_FALSE(visit.is_invited(host));
  CHECK_FALSE(visit.offer_again(host));

  SECTION("it comes again") {
    REQUIRE(visit.offer_again(guest));
    CHECK(request.standing());
    CHECK(visit.is_back_with(host));
    SECTION("and the holder lends it the lock") {
      REQUIRE(visit.lend());
      CHECK_FALSE(visit.is_back_with(host));
      SECTION("which it keeps when another one looks") {
        CHECK(visit.end() == found::guest);
        CHECK(visit.is_lent_to(guest));
        CHECK_FALSE(visit.give_back());
        visit.settle();
        CHECK_FALSE(visit.is_lent_to(guest));
        CHECK_FALSE(visit.is_lent_by(host));
        CHECK(visit.end() == found::nobody);
      }
    }
    SECTION("and gives up") {
      REQUIRE(visit.withdraw());
      CHECK_FALSE(request.standing());
      CHECK_FALSE(visit.lend());
      CHECK(visit.is_invited(guest));
    }
    SECTION("and another one looks") {
      CHECK(visit.end() == found::invitation);
      CHECK_FALSE(request.standing());
      CHECK_FALSE(visit.lend());
    }
  }
  SECTION("another one looks") {
    CHECK(visit.end() == found::invitation);
    CHECK_FALSE(visit.offer_again(guest));
    SECTION("and asks the holder itself") {
      CHECK(request.raise());
      CHECK(visit.end() == found::nobody);
      CHECK(request.standing());
      CHECK_FALSE(visit.offer(host, guest));  // it had been asked before
    }
  }
}
