// SPDX-License-Identifier: MIT

// Exceptions that one thread raises in another.

#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <conch/runtime/condition.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::released;
using conch::runtime;

namespace {

/// An exception that one can tell from others.
struct numbered {
  int number;
};

std::exception_ptr number(int n) { return std::make_exception_ptr(numbered{n}); }

/// The number that a call throws; 0 if it throws none.
template <class Call>
int number_thrown_by(Call call) {
  try {
    call();
  } catch (const numbered& thrown) {
    return thrown.number;
  }
  return 0;
}

template <class Lock>
int number_at_checkpoint(runtime<Lock>& rt) {
  return number_thrown_by([&] { rt.checkpoint(); });
}

/// Comes to checkpoints until one throws.
template <class Lock>
int number_at_some_checkpoint(runtime<Lock>& rt) {
  return number_thrown_by([&] { come_to_checkpoints_until(rt, [] { return false; }); });
}

}  // namespace

// main     (worker is there) raise
// worker   attach ─ checkpoint ─ checkpoint ─ throws ─ checkpoint: no more
TEMPLATE_LIST_TEST_CASE(
    "an exception is thrown once, in the thread it was raised in, at a checkpoint", "[exceptions]",
    all_locks) {
  runtime<TestType> rt;
  std::atomic<thread_id> id{0};
  int thrown = 0;
  int again = 0;
  std::thread worker([&] {
    const auto self = rt.attach();
    id = conch::posix_platform::this_thread();
    thrown = number_at_some_checkpoint(rt);
    again = number_at_checkpoint(rt);
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    CHECK(rt.raise_in(id, number(5)));
    CHECK(number_at_checkpoint(rt) == 0);
    let_go_and_join(rt, worker);
    CHECK(number_at_checkpoint(rt) == 0);
  }
  CHECK(thrown == 5);
  CHECK(again == 0);
}

TEMPLATE_LIST_TEST_CASE("a thread may raise an exception in itself", "[exceptions]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  CHECK(rt.raise_in(conch::posix_platform::this_thread(), number(3)));
  CHECK(number_at_checkpoint(rt) == 3);
  CHECK(number_at_checkpoint(rt) == 0);
}

TEMPLATE_LIST_TEST_CASE("an exception waits while its thread is in a region and others run",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  std::atomic<thread_id> id{0};
  std::atomic<bool> go_on{false};
  int thrown = 0;
  std::thread worker([&] {
    const auto self = rt.attach();
    {
      const released<TestType> out(rt);
      id = conch::posix_platform::this_thread();
      await([&] { return go_on.load(); });
    }
    thrown = number_at_checkpoint(rt);
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    CHECK(rt.raise_in(id, number(8)));
    for (int i = 0; i < 1000; ++i) rt.checkpoint();  // none of which is the worker's
    std::thread other([&] {
      const auto its_self = rt.attach();
      rt.checkpoint();
    });
    let_go_and_join(rt, other);
    go_on = true;
    let_go_and_join(rt, worker);
  }
  CHECK(thrown == 8);
}

TEMPLATE_LIST_TEST_CASE("an exception that was not thrown yet is replaced, and freed",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  const auto first = std::make_shared<int>(0);
  rt.raise_in(conch::posix_platform::this_thread(), std::make_exception_ptr(first));
  CHECK(first.use_count() > 1);
  rt.raise_in(conch::posix_platform::this_thread(), number(2));
  CHECK(first.use_count() == 1);
  CHECK(number_at_checkpoint(rt) == 2);
  CHECK(number_at_checkpoint(rt) == 0);
}

TEMPLATE_LIST_TEST_CASE("no exception takes back one that was not thrown yet", "[exceptions]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  const auto id = conch::posix_platform::this_thread();
  const auto taken_back = std::make_shared<int>(0);
  rt.raise_in(id, std::make_exception_ptr(taken_back));
  CHECK(rt.raise_in(id, nullptr));
  CHECK(taken_back.use_count() == 1);
  CHECK(number_at_checkpoint(rt) == 0);
  const auto ticks = rt.current()->ticks();
  CHECK(rt.raise_in(id, nullptr));  // there is none
  rt.checkpoint();
  CHECK(rt.current()->ticks() == ticks);  // nothing was to be done
  CHECK(rt.raise_in(id, number(2)));
  CHECK(number_at_checkpoint(rt) == 2);
}

TEMPLATE_LIST_TEST_CASE("an exception that a thread does not come to throw goes with the thread",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  const auto never_thrown = std::make_shared<int>(0);
  {
    const auto self = rt.attach();
    rt.raise_in(conch::posix_platform::this_thread(), std::make_exception_ptr(never_thrown));
  }
  CHECK(never_thrown.use_count() == 1);
  const auto self = rt.attach();
  CHECK(number_at_checkpoint(rt) == 0);
}

TEMPLATE_LIST_TEST_CASE("nothing is raised in a thread that is not attached", "[exceptions]",
                        all_locks) {
  runtime<TestType> rt;
  thread_id gone = 0;
  std::atomic<thread_id> stranger{0};
  std::atomic<bool> leave{false};
  {
    const auto self = rt.attach();
    std::thread other([&] {
      const auto its_self = rt.attach();
      gone = conch::posix_platform::this_thread();
    });
    std::thread unattached([&] {
      stranger = conch::posix_platform::this_thread();
      await([&] { return leave.load(); });
    });
    let_go_and_join(rt, other);
    await([&] { return stranger != 0; });
    if (gone != stranger) CHECK_FALSE(rt.raise_in(gone, number(1)));
    CHECK_FALSE(rt.raise_in(stranger, number(1)));
    CHECK_FALSE(rt.raise_in(0, number(1)));
    leave = true;
    unattached.join();
  }
}

// main     (worker waits) raise
// worker   wait ············ woken ─ checkpoint throws
TEMPLATE_LIST_TEST_CASE("an exception wakes its thread from a condition and comes out of the wait",
                        "[exceptions]", all_locks) {
  for (int i = 0; i < rounds(20); ++i) {
    runtime<TestType> rt;
    conch::condition<TestType> never(rt);
    std::atomic<thread_id> id{0};
    int thrown = 0;
    bool runs = false;
    std::thread worker([&] {
      const auto self = rt.attach();
      id = conch::posix_platform::this_thread();
      thrown = number_thrown_by([&] { never.wait([] { return false; }); });
      runs = rt.is_running();
      never.notify_all();  // it must not find the worker among those that wait
    });
    {
      const auto self = rt.attach();
      let_go_until(rt, [&] { return id != 0; });
      CHECK(rt.raise_in(id, number(6)));
      let_go_and_join(rt, worker);
    }
    CHECK(thrown == 6);
    CHECK(runs);
  }
}

// main     (worker waits for other) raise
// worker   acquire_until ··········· woken ─ checkpoint throws
TEMPLATE_LIST_TEST_CASE("an exception wakes its thread from the wait for another lock",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  conch::fmq_lock other;
  other.lock();
  std::atomic<thread_id> id{0};
  int thrown = 0;
  std::thread worker([&] {
    const auto self = rt.attach();
    id = conch::posix_platform::this_thread();
    thrown = number_thrown_by(
        [&] { (void)conch::acquire_until(rt, other, conch::posix_platform::time_point::max()); });
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return other.waiters() == 1; });
    CHECK(rt.raise_in(id, number(9)));
    let_go_and_join(rt, worker);
  }
  CHECK(thrown == 9);
  other.unlock();
}

TEMPLATE_LIST_TEST_CASE("an exception that a handler's failure has put off wakes its thread",
                        "[exceptions]", all_locks) {
  conch::runtime_config config;
  config.on_user_bits = [](void*, std::uint32_t) { throw numbered{1}; };
  runtime<TestType> rt(config);
  conch::condition<TestType> never(rt);
  const auto self = rt.attach();
  rt.raise_in(conch::posix_platform::this_thread(), number(2));
  rt.reasons().set(conch::reason::user(0));
  CHECK(number_at_checkpoint(rt) == 1);
  CHECK(number_thrown_by([&] {
          never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                           [] { return false; });
        }) == 2);
}

// All threads -----------------------------------------------------------------------------------

namespace {

/// Threads that run, sleep in a region, wait for a condition, and wait for the lock.
template <class Lock>
class various_threads {
public:
  explicit various_threads(runtime<Lock>& owner) : rt_(owner), never_(owner) {
    add([this] { come_to_checkpoints_until(rt_, [] { return false; }); });
    add([this] { never_.wait([] { return false; }); });
    add([this] {
      {
        const released<Lock> out(rt_, &sleeping_place::wake, &place_);
        place_.sleep();
      }
      rt_.checkpoint();
    });
    add([this] {
      {
        const released<Lock> out(rt_);
        await([this] { return end_region_.load(); });
      }
      rt_.checkpoint();
    });
  }

  [[nodiscard]] int count() const { return static_cast<int>(threads_.size()); }
  void await_all_attached() const {
    await([this] { return attached_ == count(); });
  }
  void end_region() { end_region_ = true; }
  void join() {
    for (auto& thread : threads_) thread.join();
  }

  std::atomic<int> numbered_seven{0};
  std::atomic<int> stopped{0};

private:
  template <class Body>
  void add(Body body) {
    threads_.emplace_back([this, body] {
      const auto self = rt_.attach();
      ++attached_;
      try {
        body();
      } catch (const numbered& thrown) {
        numbered_seven += thrown.number == 7 ? 1 : 0;
      } catch (const conch::stop_requested&) {
        ++stopped;
      }
    });
  }

  runtime<Lock>& rt_;
  conch::condition<Lock> never_;
  sleeping_place place_;
  std::atomic<bool> end_region_{false};
  std::atomic<int> attached_{0};
  std::vector<std::thread> threads_;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE(
    "terminate raises in every attached thread but the caller, whatever it does", "[exceptions]",
    all_locks) {
  runtime<TestType> rt;
  various_threads<TestType> others(rt);
  others.await_all_attached();
  {
    const auto self = rt.attach();
    rt.terminate(number(7));
    CHECK(number_at_checkpoint(rt) == 0);
    others.end_region();
  }
  others.join();
  CHECK(others.numbered_seven == others.count());
}

TEMPLATE_LIST_TEST_CASE("a stop request of a thread that is not attached stops all that are",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  various_threads<TestType> others(rt);
  others.await_all_attached();
  rt.request_stop();
  others.end_region();
  others.join();
  CHECK(others.stopped == others.count());
  const auto self = rt.attach();
  CHECK_FALSE(rt.checkpoint());  // which stopped those that were there
}

TEMPLATE_LIST_TEST_CASE("a thread that requests a stop is stopped too", "[exceptions]", all_locks) {
  runtime<TestType> rt;
  various_threads<TestType> others(rt);
  others.await_all_attached();
  {
    const auto self = rt.attach();
    others.end_region();
    rt.request_stop();
    CHECK_THROWS_AS(
        [&] {
          for (;;) rt.checkpoint();
        }(),
        conch::stop_requested);
  }
  others.join();
  CHECK(others.stopped == others.count());
}

// main     wait ·············· woken ─ checkpoint throws
// worker   wait ································· woken ─ checkpoint throws
// other       (unattached; none runs) request_stop
TEMPLATE_LIST_TEST_CASE("a stop request wakes the main thread where none runs, and it all others",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  bool worker_waits = false;
  std::atomic<bool> worker_stopped{false};
  const auto wait_for_ever = [&] { never.wait([] { return false; }); };
  std::thread worker([&] {
    const auto self = rt.attach();
    worker_waits = true;
    try {
      wait_for_ever();
    } catch (const conch::stop_requested&) {
      worker_stopped = true;
    }
  });
  std::thread other([&] {
    bool both_wait = false;
    while (!both_wait) {
      const auto self = rt.attach();
      both_wait = worker_waits && rt.threads() == 3;
    }
    rt.request_stop();
  });
  {
    const auto self = rt.attach();
    CHECK_THROWS_AS(wait_for_ever(), conch::stop_requested);
  }
  worker.join();
  other.join();
  CHECK(worker_stopped);
}

TEMPLATE_LIST_TEST_CASE("a stop request that a handler's failure has put off wakes the main thread",
                        "[exceptions]", all_locks) {
  struct failure {};
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  const auto self = rt.attach();
  CHECK(rt.add_pending_call({[](void*) { throw failure(); }, nullptr}, conch::run_on::main_thread));
  rt.request_stop();
  CHECK_THROWS_AS(rt.checkpoint(), failure);
  CHECK_THROWS_AS(never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                                   [] { return false; }),
                  conch::stop_requested);
}

// main      raise in 0 ─ raise in 1 ─ … ─ all have thrown: again
// workers   run, wait or sleep, throw
TEMPLATE_LIST_TEST_CASE("every exception of a long series arrives, whatever its thread does",
                        "[exceptions]", all_locks) {
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  constexpr std::size_t count = 4;
  std::atomic<thread_id> ids[count] = {};
  std::atomic<int> seen[count] = {};
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  const int times = rounds(100);
  for (std::size_t w = 0; w < count; ++w)
    workers.emplace_back([&, w] {
      const auto self = rt.attach();
      ids[w] = conch::posix_platform::this_thread();
      for (int expected = 1; expected <= times;) {
        const int got = number_thrown_by([&] {
          if (expected % 3 == 0)
            never.wait([] { return false; });
          else if (expected % 3 == 1)
            come_to_checkpoints_until(rt, [] { return false; });
          sleeping_place place;
          {
            const released<TestType> out(rt, &sleeping_place::wake, &place);
            place.sleep();
          }
          rt.checkpoint();
        });
        if (got == 0) continue;  // a region that was left for an interrupt dealt with before
        wrong += got == expected ? 0 : 1;
        seen[w] = expected++;
      }
    });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return ids[0] != 0 && ids[1] != 0 && ids[2] != 0 && ids[3] != 0; });
    for (int i = 1; i <= times; ++i) {
      for (const auto& id : ids) CHECK(rt.raise_in(id, number(i)));
      let_go_until(rt,
                   [&] { return seen[0] == i && seen[1] == i && seen[2] == i && seen[3] == i; });
    }
    const released<TestType> out(rt);
    for (auto& worker : workers) worker.join();
  }
  CHECK(wrong == 0);
}
