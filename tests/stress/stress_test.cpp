// SPDX-License-Identifier: MIT

// All that the locks can do, from many threads at once. What is done follows from a seed; in which
// order the threads do it does not.

#include "../support/locks.hpp"
#include "../support/sanitizers.hpp"
#include "../support/threads.hpp"
#include "guarded_state.hpp"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sys/prctl.h>
#endif

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;

namespace {

template <class Lock>
void check_at_rest(const Lock& lock) {
  CHECK_FALSE(lock.is_locked());
  CHECK(lock.waiters() == 0);
}

/// Runs body(0) … body(count - 1) on as many threads.
template <class Body>
void on_threads(int count, Body body) {
  std::vector<std::thread> threads;
  threads.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) threads.emplace_back(body, i);
  for (auto& thread : threads) thread.join();
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("a mix of all operations from many threads keeps the lock exclusive",
                        "[stress]", all_locks) {
  const auto seed = Catch::getSeed();
  const int threads = GENERATE(2, 4, 8, 16);
  CAPTURE(seed, threads);
  TestType lock;
  std::atomic<std::uint64_t> entered{0};
  guarded_state<TestType> state(lock);
  on_threads(threads, [&](int thread) {
    entered += mixed_operations<TestType>(lock, state, thread, seed).run(rounds(80'000) / threads);
  });
  CHECK(state.overlaps() == 0);
  CHECK(state.counter() == entered);
  check_at_rest(lock);
}

TEMPLATE_LIST_TEST_CASE("threads that come and go leave the lock as they found it", "[stress]",
                        all_locks) {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  TestType lock;
  std::atomic<std::uint64_t> entered{0};
  guarded_state<TestType> state(lock);
  // Four threads, each of which is replaced by a fresh one again and again.
  on_threads(4, [&](int place) {
    for (int generation = 0; generation < rounds(600); ++generation) {
      const int thread = 4 * generation + place;
      std::thread([&, thread] {
        entered += mixed_operations<TestType>(lock, state, thread, seed).run(10);
      }).join();
    }
  });
  CHECK(state.overlaps() == 0);
  CHECK(state.counter() == entered);
  check_at_rest(lock);
}

TEMPLATE_LIST_TEST_CASE("locks that come and go where others stood do not disturb one another",
                        "[stress]", all_locks) {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  constexpr int threads = 4;
  std::optional<TestType> here;  // each one where the last one was
  std::unique_ptr<TestType> elsewhere;
  std::optional<guarded_state<TestType>> states[2];
  std::atomic<std::uint64_t> entered{0};
  std::uint64_t counted = 0;
  int overlaps = 0;
  int not_at_rest = 0;

  const auto replace_locks = [&]() noexcept {
    if (here) {
      for (auto& state : states) {
        counted += state->counter();
        overlaps += state->overlaps();
        state.reset();
      }
      if (here->is_locked() || here->waiters() != 0) ++not_at_rest;
      if (elsewhere->is_locked() || elsewhere->waiters() != 0) ++not_at_rest;
    }
    here.emplace();
    elsewhere = std::make_unique<TestType>();
    states[0].emplace(*here);
    states[1].emplace(*elsewhere);
  };
  replace_locks();
  std::barrier round_over(threads, replace_locks);
  on_threads(threads, [&](int thread) {
    for (std::uint64_t round = 0; round < static_cast<std::uint64_t>(rounds(600)); ++round) {
      entered += mixed_operations<TestType>(*here, *states[0], thread, seed + round).run(10);
      entered += mixed_operations<TestType>(*elsewhere, *states[1], thread, seed - round).run(10);
      round_over.arrive_and_wait();
    }
  });
  CHECK(overlaps == 0);
  CHECK(not_at_rest == 0);
  CHECK(counted == entered);
}

// each     try_lock_for(0 … 40 µs) ··· has it, holds it for 0 … 40 µs ─ unlock
// others           try_lock_for(…) ·································|·· expire just then
TEMPLATE_LIST_TEST_CASE("timed acquires that expire while the lock is being granted lose nothing",
                        "[stress]", all_locks) {
  const auto seed = Catch::getSeed();
  CAPTURE(seed);
  constexpr int threads = 4;
  const int attempts = rounds(40'000) / threads;
  TestType lock;
  std::atomic<std::uint64_t> entered{0};
  std::atomic<int> expired{0};
  guarded_state<TestType> state(lock);
  on_threads(threads, [&](int thread) {
#if defined(__linux__)
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // or all timeouts below 50 µs would be the same
#endif
    random_numbers random(seed + static_cast<std::uint64_t>(thread));
    const auto some_time = [&] { return std::chrono::nanoseconds(random.below(40'000)); };
    for (int i = 0; i < attempts; ++i) {
      if (!lock.try_lock_for(some_time())) {
        ++expired;
        continue;
      }
      state.enter(thread);
      ++entered;
      work_for(some_time());
      state.leave(thread);
      lock.unlock();
    }
  });
  CHECK(expired > 0);
  CHECK(expired < threads * attempts);
  CHECK(state.overlaps() == 0);
  CHECK(state.counter() == entered);
  check_at_rest(lock);
  CHECK(another_thread_can_take(lock));
}
