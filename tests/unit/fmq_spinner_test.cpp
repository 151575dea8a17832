// SPDX-License-Identifier: MIT
#include <conch/fmq/spinner.hpp>
#include <conch/platform/posix.hpp>

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <utility>

namespace {

/// One thread of it at a time: what it does instead of waiting is counted.
struct counted_platform : conch::posix_platform {
  static inline int looks = 0;
  static inline int yields = 0;
  static inline unsigned cpus = 2;
  static inline unsigned pace = 128;  // looks in a microsecond
  static inline thread_id caller = 1;

  static void relax() noexcept { ++looks; }
  static void yield() noexcept { ++yields; }
  static unsigned looks_per_microsecond() noexcept { return pace; }
  static unsigned cpu_count() noexcept { return cpus; }
  static thread_id this_thread() noexcept { return caller; }
};

using effort = std::array<int, 2>;  // how many looks and yields

using spinner = conch::fmq::spinner<counted_platform>;

constexpr auto always = [] { return true; };
constexpr auto never = [] { return false; };

/// What briefly() does in vain.
template <class Taken = decltype(never)>
effort in_vain(spinner& seat, Taken is_taken = never) {
  counted_platform::looks = counted_platform::yields = 0;
  CHECK_FALSE(seat.briefly(never, is_taken));
  return {counted_platform::looks, counted_platform::yields};
}

void worth_it(spinner& seat) { CHECK(seat.briefly(always, never)); }

}  // namespace

TEST_CASE(
    "a thread that looks in vain gives way twice and looks again, as long as looking is mostly "
    "worth it",
    "[fmq]") {
  counted_platform::cpus = 2;
  spinner seat;
  CHECK(in_vain(seat) == effort{3 * 128, 2});
  CHECK(in_vain(seat) == effort{3 * 112, 2});
  CHECK(seat.is_promising());
  for (int i = 0; i < 9; ++i) in_vain(seat);
  CHECK_FALSE(seat.is_promising());
  CHECK(in_vain(seat) == effort{32, 0});
  worth_it(seat);
  CHECK(in_vain(seat) == effort{56, 0});
  worth_it(seat);
  CHECK(seat.is_promising());
  CHECK(in_vain(seat) == effort{3 * 98, 2});
  counted_platform::cpus = 1;
  CHECK_FALSE(seat.is_promising());
}

TEST_CASE("where looking is of no use, one thread in sixteen looks", "[fmq]") {
  counted_platform::cpus = 2;
  spinner seat;
  while (in_vain(seat) != effort{28, 0}) {
  }
  for (int round = 0; round < 3; ++round) {
    for (int rests = 0; rests < 15; ++rests) CHECK(in_vain(seat) == effort{0, 0});
    CHECK(in_vain(seat) == effort{28, 0});
  }
  for (int rests = 0; rests < 15; ++rests) in_vain(seat);
  worth_it(seat);  // at the sixteenth
  CHECK(in_vain(seat) == effort{56, 0});
}

TEST_CASE("what came true while a thread gave way was worth it", "[fmq]") {
  counted_platform::cpus = 2;
  spinner seat;
  CHECK(in_vain(seat) == effort{3 * 128, 2});
  counted_platform::yields = 0;
  CHECK(seat.briefly([] { return counted_platform::yields == 1; }, never));
  CHECK(in_vain(seat) == effort{3 * 128, 2});
}

TEST_CASE("a thread whose seat another one has gives way and does not spin", "[fmq]") {
  counted_platform::cpus = 2;
  spinner seat;
  counted_platform::caller = 2;
  REQUIRE(seat.sit_down());
  counted_platform::caller = 1;
  CHECK(in_vain(seat) == effort{0, 2});
  counted_platform::caller = 2;
  CHECK_FALSE(seat.sit_down());  // it is still there
  seat.get_up();
  counted_platform::caller = 1;
  CHECK(in_vain(seat) == effort{3 * 112, 2});
}

TEST_CASE("on one CPU nobody spins or gives way", "[fmq]") {
  counted_platform::cpus = 1;
  spinner seat;
  CHECK(in_vain(seat) == effort{0, 0});
}

TEST_CASE("a thread looks for as long, however long a CPU's pause is", "[fmq]") {
  counted_platform::cpus = 2;
  for (const auto& [pace, looks] : {std::pair{70U, 70}, {20U, 20}, {1U, 1}}) {
    counted_platform::pace = pace;
    spinner seat;
    CHECK(in_vain(seat) == effort{3 * looks, 2});
  }
  counted_platform::pace = 1;
  spinner seat;
  for (int i = 0; i < 12; ++i) in_vain(seat);
  CHECK(in_vain(seat) == effort{1, 0});  // the shortest of all is one look
  counted_platform::pace = 128;
}

TEST_CASE("how many looks make a microsecond is measured once", "[fmq]") {
  const auto looks = conch::posix_platform::looks_per_microsecond();
  CHECK(looks >= 1);
  CHECK(looks <= 1000);
  for (int i = 0; i < 100; ++i) CHECK(conch::posix_platform::looks_per_microsecond() == looks);
}

TEST_CASE("a thread that finds somebody spinning who has left the seat leaves it too", "[fmq]") {
  counted_platform::cpus = 2;
  spinner seat;
  CHECK(in_vain(seat, always) == effort{0, 2});
  CHECK(seat.is_free());
  CHECK(in_vain(seat) == effort{3 * 112, 2});
}
