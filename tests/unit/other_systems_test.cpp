// SPDX-License-Identifier: MIT

// The paths for other systems, as far as this one has what they use: built with CONCH_LIKE_FREEBSD.

#include <conch/platform/posix.hpp>

#include <catch2/catch_test_macros.hpp>

#include <semaphore.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <thread>

namespace {

std::atomic<int> waits{0};
std::atomic<int> waits_too_far{0};  // into the past, or beyond the next second

}  // namespace

/// In place of the C library's: notes until when it would wait, and waits for good.
extern "C" int sem_timedwait(sem_t* semaphore, const timespec* until) {
  timespec today{};
  ::clock_gettime(CLOCK_REALTIME, &today);
  const auto ahead = until->tv_sec - today.tv_sec;
  if (ahead < 0 || ahead > 1) ++waits_too_far;
  ++waits;
  return ::sem_wait(semaphore);
}

TEST_CASE("a semaphore that waits by a clock that may be set does so for a moment at a time") {
  using platform = conch::posix_platform;
  for (const auto deadline :
       {platform::time_point::max(), platform::now() + std::chrono::hours(1)}) {
    waits = waits_too_far = 0;
    platform::semaphore none(0);
    bool acquired = false;
    std::thread waiter([&] { acquired = none.try_acquire_until(deadline); });
    while (waits == 0) std::this_thread::yield();
    none.release();
    waiter.join();
    CHECK(acquired);
    CHECK(waits == 1);
    CHECK(waits_too_far == 0);
  }
}
