// SPDX-License-Identifier: MIT

// Regions in which a thread may block: what they let in, what they keep, and how they are ended.

#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <thread>
#include <type_traits>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::deeper;
using conch::released;
using conch::released_if_slow;
using conch::runtime;

namespace {

struct raised : std::exception {};
const auto an_exception = std::make_exception_ptr(raised());

/// True if checkpoint() throws what another thread raised.
template <class Lock>
bool is_raised_at_checkpoint(runtime<Lock>& rt) {
  try {
    rt.checkpoint();
  } catch (const raised&) {
    return true;
  }
  return false;
}

}  // namespace

// main    attach ─ attach ─ attach ─ released ──(until other has left)── runs
// other                                attach ─ runs ─ detach
TEMPLATE_LIST_TEST_CASE(
    "a released region lets others in whatever the nesting, and then runs again", "[released]",
    all_locks) {
  runtime<TestType> rt;
  const auto first = rt.attach();
  const auto second = rt.attach();
  const auto third = rt.attach();
  auto* const state = rt.current();
  const deeper one_deeper(*state);
  int frame = 0;
  state->frame = &frame;
  bool ran = false;
  std::thread other([&] {
    const auto self = rt.attach();
    rt.current()->frame = nullptr;
    ran = true;
  });
  let_go_and_join(rt, other);
  CHECK(ran);
  CHECK(rt.current() == state);
  CHECK(state->nesting() == 3);
  CHECK(state->depth() == 1);
  CHECK(state->frame == &frame);
  CHECK_FALSE(another_thread_can_take(rt.lock()));
}

// main    released ···· end: waits for other ····· runs
// other   attach ─────────── (main waits) ─ detach
TEMPLATE_LIST_TEST_CASE("a released region ends when the thread that runs lets go", "[released]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  std::thread other;
  bool done = false;
  {
    const released<TestType> out(rt);
    std::atomic<bool> runs{false};
    other = std::thread([&] {
      const auto its_self = rt.attach();
      runs = true;
      await_waiters(rt.lock(), 1);
      done = true;
    });
    await([&] { return runs.load(); });
  }
  CHECK(done);
  let_go_and_join(rt, other);
}

TEMPLATE_LIST_TEST_CASE("errno is what the call inside a released region made it", "[released]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  std::atomic<bool> stop{false};
  std::thread others([&] {
    on_threads(2, [&](int) {
      while (!stop) {
        const auto its_self = rt.attach();
        errno = EXDEV;
      }
    });
  });
  int kept = 0;
  int kept_by_slow = 0;
  const int times = rounds(150);
  for (int i = 0; i < times; ++i) {
    {
      const released<TestType> out(rt);
      std::this_thread::yield();
      errno = EDOM;
    }
    kept += errno == EDOM ? 1 : 0;
    released_if_slow(rt, [&] {
      // Long enough for others to take the lock away, every now and then.
      work_for(std::chrono::microseconds(i % 100));
      errno = ERANGE;
    });
    kept_by_slow += errno == ERANGE ? 1 : 0;
  }
  stop = true;
  let_go_and_join(rt, others);
  CHECK(kept == times);
  CHECK(kept_by_slow == times);
}

// Interrupts ------------------------------------------------------------------------------------

// main     raise ─ interrupted = true
// worker   released (plain) ·············· runs ─ released(unblock): called at once ─ checkpoint throws
TEMPLATE_LIST_TEST_CASE("an interrupt that came before a region unblocks its call at once",
                        "[released]", all_locks) {
  runtime<TestType> rt;
  std::atomic<thread_id> id{0};
  std::atomic<bool> interrupted{false};
  sleeping_place place;
  bool thrown = false;
  std::thread worker([&] {
    const auto self = rt.attach();
    {
      const released<TestType> out(rt);
      id = conch::posix_platform::this_thread();
      await([&] { return interrupted.load(); });
    }
    {
      const released<TestType> out(rt, &sleeping_place::wake, &place);
      place.sleep();
    }
    thrown = is_raised_at_checkpoint(rt);
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    CHECK(rt.raise_in(id, an_exception));
    interrupted = true;
  }
  worker.join();
  CHECK(place.times_unblocked == 1);
  CHECK(thrown);
}

// main     raise ─ raise ─ raise
// worker   released(unblock) ─ sleeps ···· woken ─ runs ─ checkpoint throws
TEMPLATE_LIST_TEST_CASE("an interrupt during a region unblocks its call, and further ones do not",
                        "[released]", all_locks) {
  for (int i = 0; i < rounds(20); ++i) {
    runtime<TestType> rt;
    std::atomic<thread_id> id{0};
    std::atomic<bool> all_raised{false};
    sleeping_place place;
    bool thrown = false;
    std::thread worker([&] {
      const auto self = rt.attach();
      {
        const released<TestType> out(rt, &sleeping_place::wake, &place);
        id = conch::posix_platform::this_thread();
        place.sleep();
        await([&] { return all_raised.load(); });
      }
      thrown = is_raised_at_checkpoint(rt);
    });
    {
      const auto self = rt.attach();
      let_go_until(rt, [&] { return id != 0; });
      for (int times = 0; times < 3; ++times) CHECK(rt.raise_in(id, an_exception));
      all_raised = true;
    }
    worker.join();
    CHECK(place.times_unblocked == 1);
    CHECK(thrown);
  }
}

TEMPLATE_LIST_TEST_CASE("a checkpoint that has thrown leaves no interrupt for the next region",
                        "[released]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  CHECK(rt.raise_in(conch::posix_platform::this_thread(), an_exception));
  CHECK(is_raised_at_checkpoint(rt));
  sleeping_place place;
  { const released<TestType> out(rt, &sleeping_place::wake, &place); }
  CHECK(place.times_unblocked == 0);
}

// worker   released(unblock a) ─ end ─ released(unblock b) ─ end ─ …
// main       raise ─ raise ─ raise ─ …
TEMPLATE_LIST_TEST_CASE("an unblock function is never called after the end of its region",
                        "[released]", all_locks) {
  struct watched {
    std::atomic<bool> gone{false};
    std::atomic<int>* late = nullptr;
    static void unblock(void* argument) noexcept {
      auto& self = *static_cast<watched*>(argument);
      if (self.gone) ++*self.late;
    }
  };
  runtime<TestType> rt;
  std::atomic<thread_id> id{0};
  std::atomic<bool> stop{false};
  std::atomic<int> late{0};
  std::thread worker([&] {
    const auto self = rt.attach();
    id = conch::posix_platform::this_thread();
    watched places[2];  // they outlive the regions, so that a late call is seen, not a crash
    for (int i = 0; !stop; ++i) {
      auto& place = places[i % 2];
      place.late = &late;
      place.gone = false;
      {
        const released<TestType> out(rt, &watched::unblock, &place);
        std::this_thread::yield();
      }
      place.gone = true;
      (void)is_raised_at_checkpoint(rt);
    }
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    for (int i = 0; i < rounds(300); ++i) {
      rt.raise_in(id, an_exception);
      const released<TestType> out(rt);
      std::this_thread::yield();
    }
    stop = true;
  }
  worker.join();
  CHECK(late == 0);
}

// worker   released(unblock) ─ attach ─ released(unblock) ─ end ─ detach ─ sleeps ···· woken
// main                                                                      raise
TEMPLATE_LIST_TEST_CASE("a region inside a call back leaves the outer one as it was: unblockable",
                        "[released]", all_locks) {
  runtime<TestType> rt;
  std::atomic<thread_id> id{0};
  sleeping_place outer;
  sleeping_place inner;
  bool thrown = false;
  std::thread worker([&] {
    const auto self = rt.attach();
    {
      const released<TestType> out(rt, &sleeping_place::wake, &outer);
      {
        const auto call_back = rt.attach();
        const released<TestType> further_out(rt, &sleeping_place::wake, &inner);
      }
      id = conch::posix_platform::this_thread();
      const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      await([&] {
        return outer.times_unblocked != 0 || std::chrono::steady_clock::now() > patience;
      });
    }
    thrown = is_raised_at_checkpoint(rt);
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    rt.raise_in(id, an_exception);
  }
  worker.join();
  CHECK(outer.times_unblocked == 1);
  CHECK(inner.times_unblocked == 0);
  CHECK(thrown);
}

// worker   released(unblock) ─ sleeps ·· woken ─ released(unblock): called at once ─ checkpoint throws
// main                             raise
TEMPLATE_LIST_TEST_CASE(
    "an exception that waits unblocks the second region if the first did not end "
    "in a checkpoint",
    "[released]", all_locks) {
  runtime<TestType> rt;
  std::atomic<thread_id> id{0};
  sleeping_place first;
  sleeping_place second;
  bool thrown = false;
  std::thread worker([&] {
    const auto self = rt.attach();
    {
      const released<TestType> out(rt, &sleeping_place::wake, &first);
      id = conch::posix_platform::this_thread();
      first.sleep();
    }
    { const released<TestType> out(rt, &sleeping_place::wake, &second); }
    thrown = is_raised_at_checkpoint(rt);
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    rt.raise_in(id, an_exception);
  }
  worker.join();
  CHECK(first.times_unblocked == 1);
  CHECK(second.times_unblocked == 1);
  CHECK(thrown);
}

// Slow calls ------------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("released_if_slow returns what the call returns", "[slow]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  auto* const state = rt.current();
  int variable = 0;
  CHECK(released_if_slow(rt, [] { return 42; }) == 42);
  CHECK(&released_if_slow(rt, [&]() -> int& { return variable; }) == &variable);
  static_assert(std::is_void_v<decltype(released_if_slow(rt, [] {}))>);
  CHECK(*released_if_slow(rt, [] { return std::make_unique<int>(7); }) == 7);
  CHECK(rt.current() == state);
  CHECK_FALSE(another_thread_can_take(rt.lock()));
}

TEMPLATE_LIST_TEST_CASE("released_if_slow passes on what the call throws, and the thread runs",
                        "[slow]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  const auto fail = [] { throw raised(); };
  CHECK_THROWS_AS(released_if_slow(rt, fail), raised);
  CHECK(rt.is_running());
  CHECK_FALSE(another_thread_can_take(rt.lock()));
}

TEMPLATE_LIST_TEST_CASE("the thread does not run during a call of released_if_slow", "[slow]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  released_if_slow(rt, [&] {
    CHECK_FALSE(rt.is_running());
    CHECK(rt.current() == nullptr);
    const auto call_back = rt.attach();
    CHECK(rt.is_running());
  });
  CHECK(rt.is_running());
}

// main    released_if_slow(call ───────── until other has run ── end)
// other       attach ·(20 µs: lets go in main's place)· runs ─ detach
TEMPLATE_LIST_TEST_CASE("another thread gets in during a slow call", "[slow]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  for (int i = 0; i < 5; ++i) {
    std::atomic<bool> ran{false};
    std::thread other([&] {
      const auto its_self = rt.attach();
      ran = true;
    });
    released_if_slow(rt, [&] { await([&] { return ran.load(); }); });
    let_go_and_join(rt, other);
    CHECK(rt.is_running());
  }
}

// other   attach ······················· runs
// main    (other waits) ─ released_if_slow
TEMPLATE_LIST_TEST_CASE("a thread that waits already gets in during a slow call", "[slow]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  std::atomic<bool> ran{false};
  std::thread other([&] {
    const auto its_self = rt.attach();
    ran = true;
  });
  await_waiters(rt.lock(), 1);
  released_if_slow(rt, [&] { await([&] { return ran.load(); }); });
  let_go_and_join(rt, other);
}

TEMPLATE_LIST_TEST_CASE("a quick call that nobody waits for does not let go of the lock", "[slow]",
                        counted_locks) {
  if constexpr (TestType::traits.any_thread_unlocks) {
    runtime<TestType> rt;
    const auto self = rt.attach();
    const auto& counts = rt.lock().observer();
    const auto taken = counts[conch::lock_event::acquired];
    const auto released_before = counts[conch::lock_event::released];
    for (int i = 0; i < 1000; ++i) released_if_slow(rt, [] {});
    CHECK(counts[conch::lock_event::acquired] == taken);
    CHECK(counts[conch::lock_event::released] == released_before);
    { const released<TestType> out(rt); }
    CHECK(counts[conch::lock_event::acquired] == taken + 1);
    CHECK(counts[conch::lock_event::released] == released_before + 1);
  }
}

TEMPLATE_LIST_TEST_CASE("slow calls may be inside each other and on many threads", "[slow]",
                        all_locks) {
  runtime<TestType> rt;
  std::uint64_t runs = 0;  // not atomic: the lock guards it
  std::atomic<int> wrong{0};
  constexpr int threads = 6;
  const int times = rounds(200);
  on_threads(threads, [&](int place) {
    const auto expect = [&](bool holds) { wrong += holds ? 0 : 1; };
    const auto self = rt.attach();
    auto* const state = rt.current();
    for (int i = 0; i < times; ++i) {
      const int value = released_if_slow(rt, [&] {
        if ((i + place) % 8 == 0) std::this_thread::yield();
        const auto call_back = rt.attach();
        expect(rt.current() == state);
        ++runs;
        return released_if_slow(rt, [&] {
          if ((i + place) % 16 == 0)  // longer than others wait before they let go
            work_for(std::chrono::microseconds(50));
          return i;
        });
      });
      expect(value == i);
      expect(rt.current() == state && state->nesting() == 1);
      ++runs;
      if (i % 32 == 0) {
        const released<TestType> out(rt);
        std::this_thread::yield();
      }
    }
  });
  CHECK(wrong == 0);
  CHECK(runs == static_cast<std::uint64_t>(2 * threads * times));
  CHECK_FALSE(rt.lock().is_locked());
  CHECK(rt.lock().waiters() == 0);
}

// Other locks -----------------------------------------------------------------------------------

// main     acquire_until(other) ·················· has it
// worker   (holds other) attach ─ detach ─ unlock
TEMPLATE_LIST_TEST_CASE("acquire_until takes another lock, with the thread let go meanwhile",
                        "[acquire]", all_locks) {
  runtime<TestType> rt;
  conch::fmq_lock other;
  const auto self = rt.attach();
  const auto for_ever = conch::posix_platform::time_point::max();
  CHECK(conch::acquire_until(rt, other, for_ever));  // a free one
  other.unlock();
  std::atomic<bool> held{false};
  std::thread holder([&] {
    other.lock();
    held = true;
    await_waiters(other, 1);
    { const auto its_self = rt.attach(); }
    other.unlock();
  });
  let_go_until(rt, [&] { return held.load(); });
  CHECK(conch::acquire_until(rt, other, for_ever));
  CHECK(rt.is_running());
  CHECK(other.held_by_caller());
  other.unlock();
  let_go_and_join(rt, holder);
}

TEMPLATE_LIST_TEST_CASE("acquire_until fails at its deadline, and the thread runs", "[acquire]",
                        all_locks) {
  runtime<TestType> rt;
  conch::fmq_lock other;
  const auto self = rt.attach();
  std::atomic<bool> held{false};
  std::atomic<bool> done{false};
  std::thread holder([&] {
    other.lock();
    held = true;
    await([&] { return done.load(); });
    other.unlock();
  });
  let_go_until(rt, [&] { return held.load(); });
  const auto now = conch::posix_platform::now();
  CHECK_FALSE(conch::acquire_until(rt, other, now));
  CHECK_FALSE(conch::acquire_until(rt, other, now + std::chrono::milliseconds(20)));
  CHECK(conch::posix_platform::now() >= now + std::chrono::milliseconds(20));
  CHECK(rt.is_running());
  done = true;
  let_go_and_join(rt, holder);
}
