// SPDX-License-Identifier: MIT

// A program of its own: what a process has counted stays.

#include <conch/platform/posix.hpp>

#include <catch2/catch_test_macros.hpp>

#include <sched.h>

#include <cstddef>
#include <thread>
#include <vector>

namespace {

thread_local std::vector<int> usable;  // by the calling thread

/// What cpu_count() says to a thread that may use those CPUs only.
unsigned counted_on(const std::vector<int>& cpus) {
  unsigned count = 0;
  std::thread([&] {
    usable = cpus;
    count = conch::posix_platform::cpu_count();
    usable.clear();  // its first call counts
    CHECK(conch::posix_platform::cpu_count() == count);
  }).join();
  return count;
}

}  // namespace

/// In place of the C library's, so that the machine's own CPUs do not matter.
extern "C" int sched_getaffinity(pid_t /*thread*/, std::size_t /*size*/, cpu_set_t* cpus) noexcept {
  CPU_ZERO(cpus);
  for (const auto cpu : usable) CPU_SET(static_cast<std::size_t>(cpu), cpus);
  return 0;
}

TEST_CASE("threads that are bound to a CPU each count the CPUs of all of them") {
  CHECK(counted_on({3}) == 1);
  CHECK(counted_on({3}) == 1);
  CHECK(counted_on({5}) == 2);
  CHECK(counted_on({3, 5}) == 2);
  CHECK(counted_on({1000, 3, 0}) == 4);
}
