// SPDX-License-Identifier: MIT

// Threads that wait for what other threads of the runtime bring about.

#include <conch/runtime/condition.hpp>

#include "../support/child_process.hpp"
#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::condition;
using conch::released;
using conch::runtime;
using conch::wait_result;

namespace {

auto in(std::chrono::nanoseconds time) { return conch::posix_platform::now() + time; }

/// Threads that wait for one condition, having come in a known order, and note the order in which they
/// went on.
template <class Lock>
class queue_of_waiters {
public:
  explicit queue_of_waiters(runtime<Lock>& owner) : rt_(owner), door_(owner) {}

  /// Returns when that many wait, 0 … count - 1 in the order in which they came. Precondition: the
  /// caller runs.
  void add(int count) {
    for (int i = 0; i < count; ++i) {
      bool waits = false;
      threads_.emplace_back([this, i, &waits] {
        const auto self = rt_.attach();
        waits = true;  // whoever sees this runs, and so this thread waits
        results_.push_back(door_.wait());
        order_.push_back(i);
      });
      come_to_checkpoints_until(rt_, [&] { return waits; });
    }
  }
  condition<Lock>& door() { return door_; }
  const std::vector<int>& order() const { return order_; }
  const std::vector<wait_result>& results() const { return results_; }
  void join() {
    const released<Lock> out(rt_);
    for (auto& thread : threads_) thread.join();
  }

private:
  runtime<Lock>& rt_;
  condition<Lock> door_;
  std::vector<std::thread> threads_;
  std::vector<int> order_;            // guarded by the lock
  std::vector<wait_result> results_;  // guarded by the lock
};

}  // namespace

// 0, 1, 2   wait ····· 0 ····· 1 ····· 2
// main           notify ─ notify ─ notify
TEMPLATE_LIST_TEST_CASE("threads are woken one by one in the order in which they came",
                        "[condition]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  queue_of_waiters<TestType> waiters(rt);
  waiters.add(4);
  for (std::size_t woken = 1; woken <= 4; ++woken) {
    waiters.door().notify_one();
    come_to_checkpoints_until(rt, [&] { return waiters.order().size() == woken; });
  }
  waiters.join();
  CHECK(waiters.order() == std::vector{0, 1, 2, 3});
  CHECK(waiters.results() == std::vector(4, wait_result::notified));
}

TEMPLATE_LIST_TEST_CASE("notify_all wakes all that wait, and none that comes later", "[condition]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  queue_of_waiters<TestType> waiters(rt);
  waiters.add(4);
  waiters.door().notify_all();
  waiters.join();
  CHECK(waiters.order().size() == 4);
  CHECK(waiters.results() == std::vector(4, wait_result::notified));
  CHECK(waiters.door().wait_until(in(5ms)) == wait_result::timed_out);
}

TEMPLATE_LIST_TEST_CASE("a notification that nobody waits for is not kept", "[condition]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  condition<TestType> door(rt);
  door.notify_one();
  door.notify_all();
  CHECK(door.wait_until(in(5ms)) == wait_result::timed_out);
}

TEMPLATE_LIST_TEST_CASE("a notification wakes one of those that wait, not more", "[condition]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  queue_of_waiters<TestType> waiters(rt);
  waiters.add(2);
  waiters.door().notify_one();
  come_to_checkpoints_until(rt, [&] { return !waiters.order().empty(); });
  for (int i = 0; i < 20; ++i) {
    const released<TestType> out(rt);
    std::this_thread::yield();
  }
  CHECK(waiters.order() == std::vector{0});
  waiters.door().notify_one();
  waiters.join();
  CHECK(waiters.order() == std::vector{0, 1});
}

TEMPLATE_LIST_TEST_CASE("a wait ends at its deadline, not before, and the thread runs",
                        "[condition]", all_locks) {
  runtime<TestType> rt;
  const auto outer = rt.attach();
  const auto nested = rt.attach();
  condition<TestType> door(rt);
  const auto deadline = in(20ms);
  CHECK(door.wait_until(deadline) == wait_result::timed_out);
  CHECK(conch::posix_platform::now() >= deadline);
  CHECK(rt.is_running());
  CHECK(rt.current()->nesting() == 2);
  CHECK_FALSE(another_thread_can_take(rt.lock()));
  CHECK(door.wait_until(conch::posix_platform::time_point::min()) == wait_result::timed_out);
  int asked = 0;
  CHECK_FALSE(door.wait_until(in(5ms), [&] {
    ++asked;
    return false;
  }));
  CHECK(asked == 2);
  CHECK(door.wait_until(in(-5ms), [] { return true; }));
}

TEMPLATE_LIST_TEST_CASE("one that came and left at its deadline is not in the way of the others",
                        "[condition]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  queue_of_waiters<TestType> waiters(rt);
  waiters.add(1);
  CHECK(waiters.door().wait_until(in(5ms)) == wait_result::timed_out);
  waiters.add(1);
  CHECK(waiters.door().wait_until(in(5ms)) == wait_result::timed_out);
  waiters.door().notify_one();
  waiters.door().notify_one();
  waiters.join();
  CHECK(waiters.order().size() == 2);
}

TEMPLATE_LIST_TEST_CASE("a wait lets others run whatever the nesting", "[condition]", all_locks) {
  runtime<TestType> rt;
  const auto outer = rt.attach();
  const auto nested = rt.attach();
  condition<TestType> door(rt);
  bool open = false;
  std::thread other([&] {
    const auto self = rt.attach();
    open = true;
    door.notify_one();
  });
  door.wait([&] { return open; });
  CHECK(rt.current()->nesting() == 2);
  let_go_and_join(rt, other);
}

TEMPLATE_LIST_TEST_CASE("an interrupted wait says so, and one that raced a notification has it",
                        "[condition]", all_locks) {
  runtime<TestType> rt;
  condition<TestType> door(rt);
  std::atomic<thread_id> id{0};
  wait_result first{};
  wait_result second{};
  int caught = 0;
  bool second_wait = false;
  const auto catch_at_checkpoint = [&] {
    try {
      rt.checkpoint();
    } catch (int) {
      ++caught;
    }
  };
  std::thread worker([&] {
    const auto self = rt.attach();
    id = conch::posix_platform::this_thread();
    first = door.wait();
    catch_at_checkpoint();
    second_wait = true;
    second = door.wait();
    catch_at_checkpoint();
  });
  {
    const auto self = rt.attach();
    let_go_until(rt, [&] { return id != 0; });
    rt.raise_in(id, std::make_exception_ptr(1));
    come_to_checkpoints_until(rt, [&] { return second_wait; });
    rt.raise_in(id, std::make_exception_ptr(2));
    door.notify_one();  // the worker cannot have left: this thread has run since
    let_go_and_join(rt, worker);
  }
  CHECK(first == wait_result::interrupted);
  CHECK(second == wait_result::notified);
  CHECK(caught == 2);
}

TEMPLATE_LIST_TEST_CASE("what is asked for in a wait may throw, and so may a wait inside it",
                        "[condition]", all_locks) {
  struct failure {};
  runtime<TestType> rt;
  const auto self = rt.attach();
  condition<TestType> door(rt);
  int asked = 0;
  const auto fail_at_second = [&]() -> bool {
    if (++asked == 2) throw failure();
    return false;
  };
  CHECK_THROWS_AS(door.wait_until(in(5ms), fail_at_second), failure);
  CHECK(rt.is_running());
  door.notify_all();
}

// A buffer of three places, many that fill it and many that empty it: one lost wake-up, and both sides
// wait for ever.
TEMPLATE_LIST_TEST_CASE("producers and consumers lose no wake-up", "[condition]", all_locks) {
  runtime<TestType> rt;
  condition<TestType> not_full(rt);
  condition<TestType> not_empty(rt);
  std::vector<int> buffer;
  constexpr int producers = 3;
  constexpr int consumers = 3;
  const int each = rounds(300);
  std::uint64_t sum = 0;
  on_threads(producers + consumers, [&](int place) {
    const auto self = rt.attach();
    for (int i = 1; i <= each; ++i) {
      if (place < producers) {
        not_full.wait([&] { return buffer.size() < 3; });
        buffer.push_back(i);
        not_empty.notify_one();
      } else {
        not_empty.wait([&] { return !buffer.empty(); });
        sum += static_cast<std::uint64_t>(buffer.back());
        buffer.pop_back();
        not_full.notify_one();
      }
      if (i % 7 == 0) rt.checkpoint();
    }
  });
  CHECK(buffer.empty());
  CHECK(sum == static_cast<std::uint64_t>(producers) * static_cast<std::uint64_t>(each) *
                   static_cast<std::uint64_t>(each + 1) / 2);
}

// The same with waits that time out, or are interrupted, at any moment.
TEMPLATE_LIST_TEST_CASE("timeouts and interrupts lose no wake-up of others", "[condition]",
                        all_locks) {
  runtime<TestType> rt;
  condition<TestType> not_empty(rt);
  condition<TestType> all_ended(rt);
  constexpr int consumers = 4;
  const int items = rounds(500);
  int stock = 0;
  int consumed = 0;
  int ended = 0;
  std::atomic<thread_id> ids[consumers] = {};
  std::vector<std::thread> threads;
  for (int c = 0; c < consumers; ++c)
    threads.emplace_back([&, c] {
      const auto self = rt.attach();
      ids[c] = conch::posix_platform::this_thread();
      for (int i = 0; consumed < items; ++i) {
        try {
          if (stock == 0 && i % 2 == c % 2)
            not_empty.wait_until(in(std::chrono::microseconds(i % 90)));
          not_empty.wait([&] { return stock != 0 || consumed >= items; });
          if (stock == 0) break;
          --stock;
          if (++consumed >= items) not_empty.notify_all();
        } catch (int) {
          not_empty.notify_one();  // it may have been notified: whoever leaves passes that on
        }
      }
      ++ended;
      all_ended.notify_one();
    });
  {
    const auto self = rt.attach();
    for (int i = 0; i < items; ++i) {
      ++stock;
      not_empty.notify_one();
      const auto id = ids[i % consumers].load();
      if (i % 5 == 0 && id != 0 && ended == 0) rt.raise_in(id, std::make_exception_ptr(i));
      if (i % 3 != 0) continue;
      const released<TestType> out(rt);
      std::this_thread::yield();
    }
    all_ended.wait([&] { return ended == consumers; });
    const released<TestType> out(rt);
    for (auto& thread : threads) thread.join();
  }
  CHECK(consumed == items);
  CHECK(stock == 0);
}

TEMPLATE_LIST_TEST_CASE("to wait or to notify by a thread that does not run ends the program",
                        "[condition]", all_locks) {
  for (const bool waits : {true, false}) {
    const auto end = run_in_child([&] {
      runtime<TestType> rt;
      condition<TestType> door(rt);
      const auto self = rt.attach();
      const released<TestType> out(rt);
      if (waits)
        door.wait();
      else
        door.notify_one();
      return 0;
    });
    INFO(end.describe());
    CHECK(end.killed_by(SIGABRT));
    CHECK(end.said("conch: runtime at "));
    CHECK(end.said(waits ? "wait by a thread that does not run"
                         : "notify by a thread that does not run"));
  }
}
