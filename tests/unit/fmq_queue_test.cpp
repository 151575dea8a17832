// SPDX-License-Identifier: MIT
// The order of service alone, against a list that is searched from end to end.
#include <conch/fmq/service_queue.hpp>
#include <conch/platform/posix.hpp>

#include "../support/random.hpp"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace {

using record = conch::fmq::record<conch::posix_platform>;
using queue = conch::fmq::service_queue<conch::posix_platform>;
using duration = conch::posix_platform::duration;

constexpr duration width{1'024};  // a power of two, as levels are
constexpr auto ring = 63;         // levels from the clock's own to the last that is told apart

std::int64_t level(const record& r) { return r.virtual_time / width; }

/// The lock's clock, a queue, and the records that queue, in the order in which they came.
struct tester {
  duration clock{};
  queue waiters{width};
  std::vector<record*> arrived;

  void push(record& r, duration ahead) {
    r.virtual_time = clock + ahead;
    waiters.push(r, clock);
    arrived.push_back(&r);
  }
  void remove(record& r) {
    waiters.remove(r);
    std::erase(arrived, &r);
  }
  void follow() {
    if (!arrived.empty()) clock = std::max(clock, waiters.least_due(clock));
  }
};

}  // namespace

TEST_CASE(
    "the clock passes no waiter by, and the lowest level is found, however far ahead they are",
    "[fmq]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    conch::testing::random_numbers random(seed);
    std::vector<record> records(12);
    tester t;
    for (int step = 0; step < 300; ++step) {
      auto& r = records[static_cast<std::size_t>(random.below(records.size()))];
      if (r.place != record::unqueued)
        t.remove(r);
      else
        t.push(r, width * static_cast<std::int64_t>(random.below(200)));
      t.follow();
      CAPTURE(seed, step);
      auto least = t.clock / width + ring;  // who is further ahead than that is not told apart
      for (const auto* waiter : t.arrived) {
        REQUIRE(duration(waiter->virtual_time) >= t.clock);
        least = std::min<std::int64_t>(least, level(*waiter));
      }
      if (!t.arrived.empty() && least < t.clock / width + ring)
        REQUIRE(level(*t.waiters.next(t.clock)) == least);
    }
  }
}

TEST_CASE("waiters are served level by level, in a level as they came, credit first", "[fmq]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    conch::testing::random_numbers random(seed);
    std::vector<record> records(12);
    tester t;
    for (int step = 0; step < 300; ++step) {
      auto& r = records[static_cast<std::size_t>(random.below(records.size()))];
      if (r.place == record::unqueued) {
        t.push(r, width * static_cast<std::int64_t>(random.below(ring + 1)) -
                      (random.below(4) == 0 && t.clock > width * ring ? width * ring : duration()));
        continue;
      }
      // The first in service order, by a search.
      const auto key = [&](const record* each) {
        return queue::has_credit(*each) ? std::int64_t{-1} : level(*each);
      };
      const auto first =
          std::min_element(t.arrived.begin(), t.arrived.end(),
                           [&](const record* a, const record* b) { return key(a) < key(b); });
      CAPTURE(seed, step);
      REQUIRE(t.waiters.next(t.clock) == *first);
      REQUIRE(t.waiters.oldest() == t.arrived.front());
      REQUIRE(t.waiters.size() == t.arrived.size());
      t.remove(**first);
      t.follow();
    }
  }
}
