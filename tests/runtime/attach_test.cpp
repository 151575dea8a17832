// SPDX-License-Identifier: MIT

// What a thread is to a runtime: attaching, nesting, its state, how deep it may call.

#include "../support/child_process.hpp"
#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using Catch::Matchers::ContainsSubstring;
using conch::released;
using conch::runtime;

TEMPLATE_LIST_TEST_CASE("a thread runs, under the lock, exactly as long as it is attached",
                        "[attach]", all_locks) {
  runtime<TestType> rt;
  static_assert(sizeof(typename runtime<TestType>::state) <= 96);
  CHECK(rt.current() == nullptr);
  CHECK_FALSE(rt.is_running());
  CHECK_FALSE(rt.lock().is_locked());
  {
    const auto self = rt.attach();
    CHECK(rt.is_running());
    CHECK(rt.current() != nullptr);
    CHECK(rt.threads() == 1);
    CHECK(rt.lock().is_locked());
    CHECK_FALSE(another_thread_can_take(rt.lock()));
  }
  CHECK(rt.current() == nullptr);
  CHECK_FALSE(rt.is_running());
  CHECK_FALSE(rt.lock().is_locked());
  CHECK(another_thread_can_take(rt.lock()));
}

TEMPLATE_LIST_TEST_CASE("a thread that attaches begins with a fresh state", "[attach]", all_locks) {
  conch::runtime_config config;
  config.recursion_limit = 7;
  runtime<TestType> rt(config);
  int frame = 0;
  for (int times = 0; times < 2; ++times) {
    const auto self = rt.attach();
    auto& state = *rt.current();
    CHECK(state.frame == nullptr);
    CHECK(state.id() == conch::posix_platform::this_thread());
    CHECK(state.nesting() == 1);
    CHECK(state.ticks() == 0);
    CHECK(state.depth() == 0);
    CHECK(state.recursion_limit() == 7);
    // What the next one must not find.
    state.frame = &frame;
    state.set_recursion_limit(9);
    CHECK(state.descend());
    rt.reasons().set(conch::reason::user(0));
    rt.checkpoint();
    CHECK(state.ticks() == 1);
  }
}

TEMPLATE_LIST_TEST_CASE("attachments nest, and the thread keeps its state through all of them",
                        "[attach]", all_locks) {
  runtime<TestType> rt;
  const auto outer = rt.attach();
  auto* const state = rt.current();
  int frame = 0;
  state->frame = &frame;
  {
    const auto middle = rt.attach();
    CHECK(rt.current() == state);
    CHECK(state->nesting() == 2);
    {
      const auto inner = rt.attach();
      CHECK(rt.current() == state);
      CHECK(state->nesting() == 3);
      CHECK(rt.threads() == 1);
    }
    CHECK(state->nesting() == 2);
    CHECK(rt.is_running());
  }
  CHECK(state->nesting() == 1);
  CHECK(rt.is_running());
  CHECK(state->frame == &frame);
}

// main    attach ─ released ······· attach ─ released ··· attach ─ detach ··· end ─ detach ···· end
// lock    held     free             held     free         held     free       held  free        held
TEMPLATE_LIST_TEST_CASE("an attachment in a released region runs, and lets go again at its end",
                        "[attach]", all_locks) {
  runtime<TestType> rt;
  const auto outer = rt.attach();
  auto* const state = rt.current();
  {
    const released<TestType> out(rt);
    CHECK_FALSE(rt.is_running());
    {
      const auto call_back = rt.attach();
      CHECK(rt.current() == state);
      CHECK(state->nesting() == 2);
      {
        const released<TestType> further_out(rt);
        CHECK(another_thread_can_take(rt.lock()));
        {
          const auto deepest = rt.attach();
          CHECK(state->nesting() == 3);
          CHECK_FALSE(another_thread_can_take(rt.lock()));
        }
        CHECK(rt.current() == nullptr);
        CHECK(another_thread_can_take(rt.lock()));
      }
      CHECK(rt.is_running());
      CHECK(state->nesting() == 2);
    }
    CHECK(rt.current() == nullptr);
    CHECK(another_thread_can_take(rt.lock()));
  }
  CHECK(rt.current() == state);
  CHECK(state->nesting() == 1);
}

TEMPLATE_LIST_TEST_CASE("a running region in a released one runs without being deeper", "[attach]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  auto* const state = rt.current();
  {
    const released<TestType> out(rt);
    {
      const conch::running<TestType> call_back(rt);
      CHECK(rt.current() == state);
      CHECK(state->nesting() == 1);
      CHECK_FALSE(another_thread_can_take(rt.lock()));
    }
    CHECK_FALSE(rt.is_running());
    CHECK(another_thread_can_take(rt.lock()));
  }
  CHECK(rt.is_running());
}

TEMPLATE_LIST_TEST_CASE("threads are counted and described, whether they run or not", "[attach]",
                        all_locks) {
  runtime<TestType> rt;
  std::atomic<int> attached{0};
  std::atomic<bool> leave{false};
  std::thread others([&] {
    on_threads(3, [&](int) {
      const auto self = rt.attach();
      const released<TestType> out(rt);
      ++attached;
      await([&] { return leave.load(); });
    });
  });
  await([&] { return attached == 3; });
  {
    const auto self = rt.attach();
    const auto nested = rt.attach();
    CHECK(rt.threads() == 4);
    const auto text = rt.describe();
    CHECK_THAT(text, ContainsSubstring("nesting 2, depth 0, 0 ticks, runs, main"));
    CHECK_THAT(text, ContainsSubstring("nesting 1, depth 0, 0 ticks\n"));
    leave = true;
    let_go_and_join(rt, others);
    CHECK(rt.threads() == 1);
  }
}

TEMPLATE_LIST_TEST_CASE("the main thread is the one that made the runtime", "[attach]", all_locks) {
  std::optional<runtime<TestType>> rt;
  bool maker_is_main = false;
  std::thread([&] {
    rt.emplace();
    const auto self = rt->attach();
    const released<TestType> out(*rt);
    maker_is_main = rt->is_main_thread();
  }).join();
  CHECK(maker_is_main);
  const auto self = rt->attach();
  CHECK_FALSE(rt->is_main_thread());
}

TEMPLATE_LIST_TEST_CASE("a thread with the id of a main thread that has ended is not the main one",
                        "[attach]", all_locks) {
  std::optional<runtime<TestType>> rt;
  conch::testing::thread_id maker{};
  std::thread([&] {
    rt.emplace();
    maker = conch::posix_platform::this_thread();
  }).join();
  bool is_main = true;
  on_thread_with_id_of_another(maker, [&] {
    const auto self = rt->attach();
    is_main = rt->is_main_thread();
  });
  CHECK_FALSE(is_main);
}

TEMPLATE_LIST_TEST_CASE("one thread runs at a time, each with its own state, however they nest",
                        "[attach]", all_locks) {
  runtime<TestType> rt;
  std::uint64_t runs = 0;  // not atomic: the lock guards it
  std::atomic<int> wrong{0};
  constexpr int threads = 8;
  const int times = rounds(400);
  on_threads(threads, [&](int place) {
    const auto expect = [&](bool holds) { wrong += holds ? 0 : 1; };
    for (int i = 0; i < times; ++i) {
      const auto outer = rt.attach();
      auto* const state = rt.current();
      state->frame = &place;
      ++runs;
      {
        const released<TestType> out(rt);
        expect(!rt.is_running());
        const auto inner = rt.attach();
        expect(rt.current() == state && state->nesting() == 2 && state->frame == &place);
        ++runs;
        rt.checkpoint();
        expect(rt.current() == state);
      }
      rt.yield();
      expect(rt.current() == state && state->nesting() == 1 && state->frame == &place);
      expect(state->id() == conch::posix_platform::this_thread());
      ++runs;
    }
  });
  CHECK(wrong == 0);
  CHECK(runs == static_cast<std::uint64_t>(3 * threads * times));
  CHECK(rt.current() == nullptr);
  CHECK_FALSE(rt.lock().is_locked());
  const auto self = rt.attach();
  CHECK(rt.threads() == 1);
}

// Runtimes --------------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("a thread attached to two runtimes has a state in each, and lets go of one",
                        "[attach]", all_locks) {
  runtime<TestType> a;
  runtime<TestType> b;
  const auto in_a = a.attach();
  auto* const state_a = a.current();
  CHECK_FALSE(b.is_running());
  CHECK(b.current() == nullptr);
  {
    const auto in_b = b.attach();
    auto* const state_b = b.current();
    CHECK(state_a != state_b);
    const auto again_in_b = b.attach();
    CHECK(state_a->nesting() == 1);
    CHECK(state_b->nesting() == 2);
    {
      const released<TestType> out_of_a(a);
      CHECK_FALSE(a.is_running());
      CHECK(another_thread_can_take(a.lock()));
      CHECK(b.is_running());
      CHECK_FALSE(another_thread_can_take(b.lock()));
    }
    CHECK(a.current() == state_a);
    CHECK(b.current() == state_b);
  }
  CHECK(a.current() == state_a);
  CHECK_FALSE(b.is_running());
}

TEMPLATE_LIST_TEST_CASE("a thread may leave the runtime that it attached to first, first",
                        "[attach]", all_locks) {
  runtime<TestType> a;
  runtime<TestType> b;
  auto in_a = std::make_unique<conch::attachment<TestType>>(a);
  const auto in_b = b.attach();
  in_a.reset();
  CHECK_FALSE(a.is_running());
  CHECK(b.is_running());
  CHECK(b.threads() == 1);
}

TEMPLATE_LIST_TEST_CASE("threads go in and out of many runtimes, in each one at a time", "[attach]",
                        all_locks) {
  struct universe {
    runtime<TestType> rt;
    int runs = 0;  // not atomic: the lock guards it
  };
  std::array<universe, 5> all;
  const int times = rounds(200);
  on_threads(4, [&](int thread) {
    for (int i = 0; i < times; ++i) {
      auto& here = all[static_cast<std::size_t>(i + thread) % all.size()];
      auto& there = all[static_cast<std::size_t>(i + thread + 1) % all.size()];
      const auto in_one = here.rt.attach();
      ++here.runs;
      const released<TestType> out(here.rt);
      const auto in_the_other = there.rt.attach();
      ++there.runs;
    }
  });
  int runs = 0;
  for (auto& one : all) runs += one.runs;
  CHECK(runs == 2 * 4 * times);
}

// Recursion -------------------------------------------------------------------------------------

TEMPLATE_LIST_TEST_CASE("a call deeper than the limit throws, says the limit and changes nothing",
                        "[recursion]", all_locks) {
  conch::runtime_config config;
  config.recursion_limit = 3;
  runtime<TestType> rt(config);
  const auto self = rt.attach();
  auto& state = *rt.current();
  const auto go_deeper = [&] { const conch::deeper one_deeper(state); };
  {
    const conch::deeper first(state);
    const conch::deeper second(state);
    const conch::deeper third(state);
    CHECK(state.depth() == 3);
    CHECK_FALSE(state.descend());
    CHECK_THROWS_AS(go_deeper(), conch::recursion_limit_exceeded);
    CHECK(state.depth() == 3);
    try {
      go_deeper();
    } catch (const conch::recursion_limit_exceeded& exceeded) {
      CHECK(exceeded.limit() == 3);
      CHECK_THAT(exceeded.what(), ContainsSubstring("more than 3 calls"));
    }
    state.set_recursion_limit(4);
    go_deeper();
    state.set_recursion_limit(1);  // below the present depth
    CHECK_FALSE(state.descend());
    CHECK(state.depth() == 3);
  }
  CHECK(state.depth() == 0);
  go_deeper();
  const conch::deeper the_only_one(state);
  CHECK_FALSE(state.descend());
}

TEMPLATE_LIST_TEST_CASE("the depth is that before when an exception comes from deep inside",
                        "[recursion]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  auto& state = *rt.current();
  struct recursion {
    static void descend(typename runtime<TestType>::state& caller, int calls) {
      const conch::deeper one_deeper(caller);
      if (calls > 1) descend(caller, calls - 1);
    }
  };
  recursion::descend(state, 1000);
  CHECK(state.depth() == 0);
  CHECK_THROWS_AS(recursion::descend(state, 1001), conch::recursion_limit_exceeded);
  CHECK(state.depth() == 0);
}

TEMPLATE_LIST_TEST_CASE("each thread has its own depth, also while it has let go", "[recursion]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  const conch::deeper first(*rt.current());
  const conch::deeper second(*rt.current());
  std::uint32_t depth_of_other = 77;
  std::thread other([&] {
    const auto its_self = rt.attach();
    depth_of_other = rt.current()->depth();
  });
  let_go_and_join(rt, other);
  CHECK(depth_of_other == 0);
  CHECK(rt.current()->depth() == 2);
}

// Contracts -------------------------------------------------------------------------------------

namespace {

/// Breaks a rule in a child, which must end by abort() after a line that names the runtime and the
/// rule.
template <class Violation>
void check_dies_of(const char* rule, Violation violate) {
  const auto end = run_in_child([&] {
    violate();
    return 0;
  });
  INFO(rule);
  INFO(end.describe());
  CHECK(end.killed_by(SIGABRT));
  CHECK(end.said("conch: runtime at "));
  CHECK(end.said(rule));
}

/// What only a thread that runs may do, and what the report calls it.
template <class Lock>
void break_rules_of_those_that_run(void (*prepare)(runtime<Lock>&, void (*)(runtime<Lock>&))) {
  using rt_type = runtime<Lock>;
  struct rule {
    const char* name;
    void (*breach)(rt_type&);
  };
  const rule rules[] = {
      {"yield by", [](rt_type& rt) { rt.yield(); }},
      {"threads by", [](rt_type& rt) { (void)rt.threads(); }},
      {"describe by", [](rt_type& rt) { (void)rt.describe(); }},
      {"on_signal by", [](rt_type& rt) { rt.on_signal(SIGUSR1, [](int) {}); }},
      {"raise_in by", [](rt_type& rt) { rt.raise_in(0, nullptr); }},
      {"terminate by", [](rt_type& rt) { rt.terminate(nullptr); }},
      {"finalize by", [](rt_type& rt) { rt.finalize(); }},
      {"released by", [](rt_type& rt) { const released<Lock> out(rt); }},
      {"checkpoint by",
       [](rt_type& rt) {
         if (!conch::detail::checked) rt.reasons().set(conch::reason::user(0));
         (void)rt.lock().try_lock();  // or a lock that counts checkpoints would complain first
         rt.checkpoint();
       }},
  };
  for (const auto& [name, breach] : rules)
    check_dies_of((std::string(name) + " a thread that does not run").c_str(),
                  [&, breach = breach] {
                    runtime<Lock> rt;
                    prepare(rt, breach);
                  });
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("what is for a thread that runs ends the program in one not attached",
                        "[contract]", all_locks) {
  break_rules_of_those_that_run<TestType>(
      [](runtime<TestType>& rt, void (*breach)(runtime<TestType>&)) { breach(rt); });
}

TEMPLATE_LIST_TEST_CASE("what is for a thread that runs ends the program in one that has let go",
                        "[contract]", all_locks) {
  break_rules_of_those_that_run<TestType>(
      [](runtime<TestType>& rt, void (*breach)(runtime<TestType>&)) {
        const auto self = rt.attach();
        const released<TestType> out(rt);
        breach(rt);
      });
}

TEMPLATE_LIST_TEST_CASE("a running region ends the program in a thread not attached, or that runs",
                        "[contract]", all_locks) {
  check_dies_of("run by a thread that is not attached", [] {
    runtime<TestType> rt;
    const conch::running<TestType> in(rt);
  });
  check_dies_of("run by a thread that runs already", [] {
    runtime<TestType> rt;
    const auto self = rt.attach();
    const conch::running<TestType> in(rt);
  });
}

TEMPLATE_LIST_TEST_CASE("to detach while the thread has let go ends the program", "[contract]",
                        all_locks) {
  check_dies_of("detached while it does not run", [] {
    runtime<TestType> rt;
    auto self = std::make_unique<conch::attachment<TestType>>(rt);
    const released<TestType> out(rt);
    self.reset();
  });
}

TEMPLATE_LIST_TEST_CASE("to destroy a runtime to which a thread is attached ends the program",
                        "[contract]", all_locks) {
  check_dies_of("destroyed while threads are attached", [] {  // one that has let go
    std::optional<runtime<TestType>> rt(std::in_place);
    const auto self = rt->attach();
    const released<TestType> out(*rt);
    rt.reset();
  });
  check_dies_of("destroyed by a thread that runs", [] {
    std::optional<runtime<TestType>> rt(std::in_place);
    const auto self = rt->attach();
    rt.reset();
  });
}
