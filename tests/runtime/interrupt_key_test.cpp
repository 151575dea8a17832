// SPDX-License-Identifier: MIT

// Ctrl-C while the main thread waits for another thread's end beside threads that compute: handled
// where it waits by the runtime's own means, and CPython 2's behaviour where it does not.

#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <conch/runtime/condition.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::condition;
using conch::lock_event;
using conch::released;
using conch::runtime;
using std::chrono::steady_clock;

namespace {

struct keyboard_interrupt {};

/// How often it is tried. Only fmq_lock lets a thread that was woken in at once.
template <class Lock>
constexpr int tries() {
  if (std::is_same_v<Lock, conch::fmq_lock>) return rounds(1000);
  return rounds(25);
}

}  // namespace

// joined   (wait for the end of the test)
// hogs     checkpoint ─ checkpoint ─ checkpoint ─ …           one has seen that main waits
// main     wait ································· woken ─ handler throws ─ wait ···
// other                  SIGINT
TEMPLATE_LIST_TEST_CASE(
    "Ctrl-C is handled in every try while the main thread joins by the runtime's "
    "wait, beside 4 hogs",
    "[interrupt-key]", all_locks) {
  runtime<TestType> rt;
  condition<TestType> ended(rt);
  bool join_may_end = false;  // guarded by the lock, as the next two
  bool joined_ended = false;
  int waits = 0;
  std::atomic<int> waits_seen{0};
  std::atomic<int> handled{0};
  std::atomic<steady_clock::rep> sent_at{0};
  steady_clock::duration worst{};

  const auto self = rt.attach();
  rt.on_signal(SIGINT, [&](int) {
    const auto now = steady_clock::now().time_since_epoch();
    worst = std::max(worst, now - steady_clock::duration(sent_at.load()));
    ++handled;
    throw keyboard_interrupt();
  });
  std::thread joined([&] {
    const auto its_self = rt.attach();
    ended.wait([&] { return join_may_end; });
    joined_ended = true;
    ended.notify_all();
  });
  const auto main_thread = ::pthread_self();
  std::thread other([&] {
    for (int i = 1; i <= tries<TestType>(); ++i) {
      await([&] { return waits_seen == i; });
      sent_at = steady_clock::now().time_since_epoch().count();
      if (i % 2 == 0)
        ::pthread_kill(main_thread, SIGINT);
      else
        ::kill(::getpid(), SIGINT);
    }
  });
  int interrupted = 0;
  // A hog runs, and so the main thread, which has said that it waits, does wait.
  std::optional<hogs<TestType>> computing(std::in_place, rt, 4, [&] { waits_seen.store(waits); });
  {
    for (int i = 0; i < tries<TestType>(); ++i) {
      try {
        ++waits;
        ended.wait([&] { return joined_ended; });
      } catch (const keyboard_interrupt&) {
        ++interrupted;
      }
    }
    const released<TestType> out(rt);
    other.join();
    computing.reset();
  }
  CHECK(interrupted == tries<TestType>());
  CHECK(handled == tries<TestType>());
  join_may_end = true;
  ended.notify_all();
  ended.wait([&] { return joined_ended; });
  let_go_and_join(rt, joined);
  std::printf("Ctrl-C beside 4 hogs over %s: %d of %d handled, the slowest after %.2f ms\n",
              TestType::traits.name, interrupted, tries<TestType>(),
              std::chrono::duration<double, std::milli>(worst).count());
}

// The classic case ------------------------------------------------------------------------------

namespace {

/// A way to wait for a thread's end that no signal ends.
enum class join_by { join, semaphore };

/// What the hogs did between two looks.
struct pace {
  std::uint64_t checkpoints = 0;
  std::uint64_t acquisitions = 0;
  [[nodiscard]] double acquisitions_per_checkpoint() const {
    return static_cast<double>(acquisitions) / static_cast<double>(checkpoints);
  }
};

template <class Lock>
pace pace_of(const hogs<Lock>& computing, runtime<Lock>& rt, std::uint64_t checkpoints) {
  // Both, read again where the hogs went on for long in between.
  const auto look = [&] {
    for (;;) {
      const auto first = computing.checkpoints();
      const pace seen{first, rt.lock().observer()[lock_event::acquired]};
      if (computing.checkpoints() <= first + checkpoints / 20) return seen;
    }
  };
  const auto before = look();
  await([&] { return computing.checkpoints() >= before.checkpoints + checkpoints; });
  const auto after = look();
  return {after.checkpoints - before.checkpoints, after.acquisitions - before.acquisitions};
}

using counted_tick_gil = conch::basic_tick_gil<conch::sem_lock, conch::event_counter>;

/// Returns how the hogs went on before the signal and after it, and whether the handler ran meanwhile.
struct classic_case {
  pace before;
  pace after;
  int handled_meanwhile = 0;
  int handled_in_the_end = 0;

  explicit classic_case(join_by way) {
    runtime<counted_tick_gil> rt;
    std::atomic<int> handled{0};
    std::atomic<bool> end{false};
    std::atomic<bool> main_blocks{false};
    const auto self = rt.attach();
    rt.on_signal(SIGINT, [&](int) { ++handled; });
    conch::sem_lock joined_runs;
    joined_runs.lock();
    std::thread joined([&] {
      await([&] { return end.load(); });
      joined_runs.unlock();
    });
    const auto main_thread = ::pthread_self();
    std::thread other([&] {
      hogs<counted_tick_gil> computing(rt, 4);
      await([&] { return main_blocks.load(); });
      const auto enough = static_cast<std::uint64_t>(rounds(50'000));
      before = pace_of(computing, rt, enough);
      ::pthread_kill(main_thread, SIGINT);
      await([&] { return (rt.reasons().seen() & conch::reason::signal) != 0; });
      after = pace_of(computing, rt, enough);
      handled_meanwhile = handled;
      end = true;
    });
    {
      const released<counted_tick_gil> out(rt);
      main_blocks = true;
      if (way == join_by::join)
        joined.join();
      else
        joined_runs.lock();
    }
    rt.checkpoint();
    handled_in_the_end = handled;
    let_go_and_join(rt, other);
    if (joined.joinable()) joined.join();
    if (way == join_by::join) joined_runs.lock();
    joined_runs.unlock();
  }
};

}  // namespace

// hogs     100 ticks, let go ─ 100 ticks, let go ─ │ tick, let go ─ tick, let go ─ tick, let go ─ …
// main     released ─ join ······················· │ ···················· end ─ checkpoint: handler
// other                                          SIGINT
TEST_CASE(
    "over tick_gil Ctrl-C does nothing while the main thread is in a join, and from then on "
    "every tick lets go and takes again",
    "[interrupt-key]") {
  for (const auto way : {join_by::join, join_by::semaphore}) {
    const classic_case seen(way);
    std::printf("tick_gil, acquisitions per checkpoint of 4 hogs: %.3f before Ctrl-C, %.3f after\n",
                seen.before.acquisitions_per_checkpoint(),
                seen.after.acquisitions_per_checkpoint());
    CHECK(seen.handled_meanwhile == 0);
    CHECK(seen.handled_in_the_end == 1);
    CHECK(seen.before.acquisitions_per_checkpoint() < 0.1);
    // A tick between another hog's release and its next look is one without.
    CHECK(seen.after.acquisitions_per_checkpoint() > 0.5);
  }
}
