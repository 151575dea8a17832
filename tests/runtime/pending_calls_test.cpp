// SPDX-License-Identifier: MIT

// Calls that one thread asks for and another makes.

#include <conch/runtime/pending_calls.hpp>

#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <conch/runtime/condition.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::pending_call;
using conch::released;
using conch::run_on;
using conch::runtime;

namespace {

using queue_of_four = conch::pending_calls<conch::posix_platform, 4>;
constexpr std::size_t room = conch::pending_calls<conch::posix_platform>::capacity;

/// A call of a function that lives at least as long.
pending_call call_of(std::function<void()>& function) {
  return {[](void* self) { (*static_cast<std::function<void()>*>(self))(); }, &function};
}

pending_call call_number(int& number) { return {nullptr, &number}; }

/// The numbers of the calls that are in the queue, in the order in which they come out.
std::vector<int> drain(queue_of_four& queue) {
  std::vector<int> order;
  pending_call call;
  while (queue.pop(call)) order.push_back(*static_cast<int*>(call.argument));
  return order;
}

}  // namespace

TEST_CASE("a queue gives back its calls in order, over and over, and says when it is full",
          "[calls]") {
  queue_of_four queue;
  int numbers[] = {0, 1, 2, 3, 4};
  pending_call none;
  CHECK(queue.empty());
  CHECK_FALSE(queue.pop(none));
  for (int times = 0; times < 10; ++times) {
    for (int i = 0; i < 4; ++i) CHECK(queue.push(call_number(numbers[i])));
    CHECK_FALSE(queue.push(call_number(numbers[4])));
    CHECK_FALSE(queue.empty());
    pending_call first;
    CHECK(queue.pop(first));
    CHECK(first.argument == &numbers[0]);
    CHECK(queue.push(call_number(numbers[4])));
    CHECK(drain(queue) == std::vector{1, 2, 3, 4});
    CHECK(queue.empty());
    CHECK(queue.push(call_number(numbers[0])));  // so that the places turn
    CHECK(drain(queue) == std::vector{0});
  }
}

TEST_CASE("a queue that was cleared is empty and has room for all", "[calls]") {
  queue_of_four queue;
  int numbers[] = {0, 1, 2, 3};
  for (int i = 0; i < 3; ++i) CHECK(queue.push(call_number(numbers[i])));
  CHECK(drain(queue).size() == 3);
  for (int i = 0; i < 3; ++i) CHECK(queue.push(call_number(numbers[i])));
  queue.clear();
  CHECK(queue.empty());
  for (auto& number : numbers) CHECK(queue.push(call_number(number)));
  CHECK_FALSE(queue.push(call_number(numbers[0])));
  CHECK(drain(queue) == std::vector{0, 1, 2, 3});
}

TEST_CASE("a queue loses no call of many producers, and keeps the order of each", "[calls]") {
  queue_of_four queue;
  constexpr int producers = 4;
  const int each = rounds(5'000);
  struct item {
    int producer;
    int number;
  };
  std::vector<std::vector<item>> items(producers);
  for (int p = 0; p < producers; ++p)
    for (int i = 0; i < each; ++i) items[static_cast<std::size_t>(p)].push_back({p, i});
  std::thread all([&] {
    on_threads(producers, [&](int p) {
      for (auto& one : items[static_cast<std::size_t>(p)])
        await([&] { return queue.push({nullptr, &one}); });
    });
  });
  std::vector<int> next(producers, 0);
  int wrong = 0;
  for (int taken = 0; taken < producers * each; ++taken) {
    pending_call call;
    await([&] { return queue.pop(call); });
    const auto& got = *static_cast<item*>(call.argument);
    auto& expected = next[static_cast<std::size_t>(got.producer)];
    wrong += got.number == expected ? 0 : 1;
    expected = got.number + 1;
  }
  all.join();
  CHECK(wrong == 0);
  CHECK(queue.empty());
}

// In a runtime ----------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("a call for any thread is made by the next that comes to a checkpoint",
                        "[calls]", all_locks) {
  runtime<TestType> rt;
  thread_id made_by = 0;
  std::function<void()> note = [&] {
    CHECK(rt.is_running());
    made_by = conch::posix_platform::this_thread();
  };
  const auto self = rt.attach();
  CHECK(rt.add_pending_call(call_of(note)));
  CHECK(made_by == 0);
  rt.checkpoint();
  CHECK(made_by == conch::posix_platform::this_thread());
  CHECK(rt.add_pending_call(call_of(note)));
  thread_id other_id = 0;
  std::thread other([&] {
    other_id = conch::posix_platform::this_thread();
    const auto its_self = rt.attach();
    rt.checkpoint();
  });
  let_go_and_join(rt, other);
  CHECK(made_by == other_id);
}

// main     (has added) ─ released ················ runs ─ checkpoint: made
// other                       attach ─ checkpoint: not made
TEMPLATE_LIST_TEST_CASE("a call for the main thread is made by it alone", "[calls]", all_locks) {
  runtime<TestType> rt;
  thread_id made_by = 0;
  std::function<void()> note = [&] { made_by = conch::posix_platform::this_thread(); };
  std::atomic<bool> added{false};
  std::thread other([&] {
    const auto its_self = rt.attach();
    added = rt.add_pending_call(call_of(note), run_on::main_thread);
    for (int i = 0; i < 1000; ++i) rt.checkpoint();
  });
  other.join();
  CHECK(added);
  CHECK(made_by == 0);
  const auto self = rt.attach();
  CHECK(made_by == 0);
  rt.checkpoint();
  CHECK(made_by == conch::posix_platform::this_thread());
}

TEMPLATE_LIST_TEST_CASE(
    "calls are made in the order in which they were added, all at one checkpoint", "[calls]",
    all_locks) {
  runtime<TestType> rt;
  std::vector<int> order;
  std::vector<std::function<void()>> calls;
  for (int i = 0; i < static_cast<int>(room); ++i) calls.push_back([&, i] { order.push_back(i); });
  const auto self = rt.attach();
  for (const auto where : {run_on::any_thread, run_on::main_thread}) {
    order.clear();
    for (auto& call : calls) CHECK(rt.add_pending_call(call_of(call), where));
    rt.checkpoint();
    CHECK(order.size() == room);
    CHECK(std::is_sorted(order.begin(), order.end()));
  }
}

TEMPLATE_LIST_TEST_CASE(
    "a full queue says so, has room again after a checkpoint, and is not the other", "[calls]",
    all_locks) {
  runtime<TestType> rt;
  int made = 0;
  std::function<void()> count = [&] { ++made; };
  const auto self = rt.attach();
  for (std::size_t i = 0; i < room; ++i) CHECK(rt.add_pending_call(call_of(count)));
  CHECK_FALSE(rt.add_pending_call(call_of(count)));
  CHECK(rt.add_pending_call(call_of(count), run_on::main_thread));
  rt.checkpoint();
  CHECK(made == static_cast<int>(room) + 1);
  CHECK(rt.add_pending_call(call_of(count)));
  rt.checkpoint();
  CHECK(made == static_cast<int>(room) + 2);
}

TEMPLATE_LIST_TEST_CASE("a call is not made inside another of its kind", "[calls]", all_locks) {
  for (const auto where : {run_on::any_thread, run_on::main_thread}) {
    runtime<TestType> rt;
    int depth = 0;
    int deepest = 0;
    int made = 0;
    std::function<void()> nested = [&] {
      deepest = std::max(deepest, ++depth);
      ++made;
      rt.checkpoint();
      --depth;
    };
    const auto self = rt.attach();
    for (int i = 0; i < 5; ++i) CHECK(rt.add_pending_call(call_of(nested), where));
    rt.checkpoint();
    CHECK(made == 5);
    CHECK(deepest == 1);
  }
}

// main     checkpoint: call 1 ─ released ················· end ─ call 2
// other                    attach ─ checkpoint: makes none
TEMPLATE_LIST_TEST_CASE("a call that has let go keeps other threads from making those behind it",
                        "[calls]", all_locks) {
  runtime<TestType> rt;
  bool inside = false;
  int overlaps = 0;
  bool behind_made = false;
  thread_id behind_made_by = 0;
  std::function<void()> lets_go = [&] {
    inside = true;
    std::thread other([&] {
      const auto its_self = rt.attach();
      for (int i = 0; i < 10; ++i) rt.checkpoint();
    });
    let_go_and_join(rt, other);
    inside = false;
  };
  std::function<void()> behind = [&] {
    overlaps += inside ? 1 : 0;
    behind_made = true;
    behind_made_by = conch::posix_platform::this_thread();
  };
  const auto self = rt.attach();
  CHECK(rt.add_pending_call(call_of(lets_go)));
  CHECK(rt.add_pending_call(call_of(behind)));
  rt.checkpoint();
  CHECK(behind_made);
  CHECK(behind_made_by == conch::posix_platform::this_thread());
  CHECK(overlaps == 0);
}

TEMPLATE_LIST_TEST_CASE(
    "a call that adds itself again is made a queue's worth of times a checkpoint", "[calls]",
    all_locks) {
  for (const auto where : {run_on::any_thread, run_on::main_thread}) {
    runtime<TestType> rt;
    std::size_t made = 0;
    bool go_on = true;
    std::function<void()> again;
    again = [&] {
      ++made;
      if (go_on) CHECK(rt.add_pending_call(call_of(again), where));
    };
    const auto self = rt.attach();
    CHECK(rt.add_pending_call(call_of(again), where));
    rt.checkpoint();
    CHECK(made == room);
    rt.checkpoint();
    CHECK(made == 2 * room);
    go_on = false;
    rt.checkpoint();
    CHECK(made == 2 * room + 1);
    rt.checkpoint();
    CHECK(made == 2 * room + 1);
  }
}

TEMPLATE_LIST_TEST_CASE("a call that throws ends the pass, and the rest is for the next checkpoint",
                        "[calls]", all_locks) {
  struct failure {};
  for (const auto where : {run_on::any_thread, run_on::main_thread}) {
    runtime<TestType> rt;
    std::vector<int> order;
    std::function<void()> first = [&] { order.push_back(1); };
    std::function<void()> second = [&] {
      order.push_back(2);
      throw failure();
    };
    std::function<void()> third = [&] { order.push_back(3); };
    const auto self = rt.attach();
    for (auto* call : {&first, &second, &third}) CHECK(rt.add_pending_call(call_of(*call), where));
    CHECK_THROWS_AS(rt.checkpoint(), failure);
    CHECK(order == std::vector{1, 2});
    CHECK_FALSE(rt.checkpoint());
    CHECK(order == std::vector{1, 2, 3});
    rt.checkpoint();
    CHECK(order.size() == 3);
  }
}

TEMPLATE_LIST_TEST_CASE(
    "a call that throws in the main thread leaves those for any to other threads", "[calls]",
    all_locks) {
  struct failure {};
  runtime<TestType> rt;
  bool made = false;
  std::function<void()> fail = [] { throw failure(); };
  std::function<void()> note = [&] { made = true; };
  const auto self = rt.attach();
  CHECK(rt.add_pending_call(call_of(fail)));
  CHECK(rt.add_pending_call(call_of(note)));
  CHECK_THROWS_AS(rt.checkpoint(), failure);
  std::thread other([&] {
    const auto its_self = rt.attach();
    rt.checkpoint();
  });
  let_go_and_join(rt, other);
  CHECK(made);
}

// main     wait ·················· woken ─ checkpoint: made ─ done
// other    attach ─ detach ─ add
TEMPLATE_LIST_TEST_CASE("a call for the main thread wakes it from a wait and from a region",
                        "[calls]", all_locks) {
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  bool made = false;
  std::function<void()> note = [&] { made = true; };
  const auto self = rt.attach();
  bool added = false;
  std::thread adder([&] {
    { const auto its_self = rt.attach(); }  // when main waits
    added = rt.add_pending_call(call_of(note), run_on::main_thread);
  });
  never.wait([&] { return made; });
  let_go_and_join(rt, adder);
  CHECK(added);
  CHECK(made);

  made = false;
  sleeping_place place;
  std::atomic<bool> in_region{false};
  adder = std::thread([&] {
    await([&] { return in_region.load(); });
    added = rt.add_pending_call(call_of(note), run_on::main_thread);
  });
  {
    const released<TestType> out(rt, &sleeping_place::wake, &place);
    in_region = true;
    place.sleep();
  }
  rt.checkpoint();
  CHECK(made);
  let_go_and_join(rt, adder);
}

// The main thread must be woken for what it has not done yet, however it came to be left.
TEMPLATE_LIST_TEST_CASE("a call added before the main thread attached wakes it from its first wait",
                        "[calls]", all_locks) {
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  bool made = false;
  std::function<void()> note = [&] { made = true; };
  CHECK(rt.add_pending_call(call_of(note), run_on::main_thread));
  const auto self = rt.attach();
  CHECK(never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                         [&] { return made; }));
}

TEMPLATE_LIST_TEST_CASE("what a call that threw has left wakes the main thread from a wait",
                        "[calls]", all_locks) {
  struct failure {};
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  bool made = false;
  std::function<void()> fail = [] { throw failure(); };
  std::function<void()> note = [&] { made = true; };
  const auto self = rt.attach();
  CHECK(rt.add_pending_call(call_of(fail), run_on::main_thread));
  CHECK(rt.add_pending_call(call_of(note), run_on::main_thread));
  CHECK_THROWS_AS(rt.checkpoint(), failure);
  CHECK(never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                         [&] { return made; }));
}

TEMPLATE_LIST_TEST_CASE("what is more than a queue's worth wakes the main thread from a wait",
                        "[calls]", all_locks) {
  runtime<TestType> rt;
  conch::condition<TestType> never(rt);
  std::size_t made = 0;
  std::function<void()> again;
  again = [&] {
    if (++made < room + 1) CHECK(rt.add_pending_call(call_of(again), run_on::main_thread));
  };
  const auto self = rt.attach();
  CHECK(rt.add_pending_call(call_of(again), run_on::main_thread));
  rt.checkpoint();
  CHECK(made == room);
  CHECK(never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                         [&] { return made == room + 1; }));
}

// producers   add ─ add ─ (full: again) ─ add ─ …      (not attached)
// runners     checkpoint ─ released ─ checkpoint ─ …
// main        checkpoint ─ released ─ …
TEMPLATE_LIST_TEST_CASE("of the calls of many producers none is lost and none is made twice",
                        "[calls]", all_locks) {
  runtime<TestType> rt;
  constexpr int producers = 4;
  const int each = rounds(1'000);
  struct item {
    std::atomic<int> made{0};
    std::atomic<bool> by_main{false};
    run_on where = run_on::any_thread;
    runtime<TestType>* rt = nullptr;
  };
  const auto items =
      std::make_unique<std::vector<item>>(static_cast<std::size_t>(producers * each));
  std::atomic<bool> stop{false};
  struct making {
    static void note(void* argument) {
      auto& one = *static_cast<item*>(argument);
      ++one.made;
      one.by_main = one.rt->is_main_thread();
    }
  };
  for (std::size_t i = 0; i < items->size(); ++i) {
    (*items)[i].where = i % 3 == 0 ? run_on::main_thread : run_on::any_thread;
    (*items)[i].rt = &rt;
  }
  std::thread adders([&] {
    on_threads(producers, [&](int p) {
      for (int i = 0; i < each; ++i) {
        auto& one = (*items)[static_cast<std::size_t>(p * each + i)];
        await([&] { return rt.add_pending_call({making::note, &one}, one.where); });
      }
    });
  });
  std::thread runners([&] {
    on_threads(2, [&](int) {
      const auto self = rt.attach();
      come_to_checkpoints_until(rt, [&] { return stop.load(); });
    });
  });
  {
    const auto self = rt.attach();
    come_to_checkpoints_until(rt, [&] {
      return std::all_of(items->begin(), items->end(),
                         [](const item& one) { return one.made > 0; });
    });
    stop = true;
    let_go_and_join(rt, adders);
    let_go_and_join(rt, runners);
    rt.checkpoint();
  }
  CHECK(std::all_of(items->begin(), items->end(), [](const item& one) {
    return one.made == 1 && (one.where == run_on::any_thread || one.by_main);
  }));
}
