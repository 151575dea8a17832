// SPDX-License-Identifier: MIT

// The word of reasons, and how a host hears of it without looking.

#include <conch/breaker.hpp>

#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
namespace reason = conch::reason;
using conch::released;
using conch::runtime;
using breaker = conch::breaker<conch::posix_platform>;

namespace {

void count_push(void* count) noexcept { ++*static_cast<std::atomic<int>*>(count); }

}  // namespace

TEST_CASE("a breaker gives back the bits that were set, once", "[breaker]") {
  breaker word;
  CHECK_FALSE(word.any());
  word.set(0b0110);
  CHECK(word.any());
  CHECK(word.seen() == 0b0110);
  word.set(0b1100);
  CHECK(word.seen() == 0b1110);
  CHECK(word.take(0b0011) == 0b0010);
  CHECK(word.take(0b0011) == 0);
  CHECK(word.take(~0U) == 0b1100);
  CHECK_FALSE(word.any());
}

TEST_CASE("a breaker pushes exactly when its word leaves zero", "[breaker]") {
  std::atomic<int> pushes{0};
  breaker word(count_push, &pushes);
  CHECK(word.is_pushed());
  word.set(1);
  CHECK(pushes == 1);
  word.set(1);
  word.set(2);
  CHECK(pushes == 1);
  word.take(1);
  word.set(1);  // it was not zero: bit 2
  CHECK(pushes == 1);
  word.take(3);
  word.set(2);
  CHECK(pushes == 2);
  word.push();
  CHECK(pushes == 3);
  breaker quiet;
  CHECK_FALSE(quiet.is_pushed());
  quiet.push();
  quiet.set(1);
}

TEST_CASE("a breaker loses no bit and no push when threads set and take", "[breaker]") {
  std::atomic<int> pushes{0};
  breaker word(count_push, &pushes);
  const int times = rounds(20'000);
  std::atomic<int> taken{0};
  on_threads(4, [&](int thread) {
    const auto mine = std::uint32_t{1} << thread;
    for (int i = 0; i < times; ++i) {
      word.set(mine);
      if (word.take(mine) == mine) ++taken;
    }
  });
  CHECK(taken == 4 * times);
  CHECK(pushes > 0);
  CHECK(pushes <= 4 * times);
  const int before = pushes;
  word.set(1);
  CHECK(pushes == before + 1);
}

TEST_CASE("each reason has a bit of its own", "[breaker]") {
  std::uint32_t all = 0;
  const auto is_new = [&](std::uint32_t bit) {
    const bool one_bit = bit != 0 && (bit & (bit - 1)) == 0;
    const bool fresh = (all & bit) == 0;
    all |= bit;
    return one_bit && fresh;
  };
  for (const auto bit :
       {reason::drop, reason::signal, reason::call, reason::stop, reason::exception})
    CHECK(is_new(bit));
  for (unsigned n = 0; n < 16; ++n) {
    CHECK((reason::user(n) & reason::all_user_bits) != 0);
    CHECK(is_new(reason::user(n)));
  }
}

// In a runtime ----------------------------------------------------------------------------------

namespace {

/// What the function for the user bits was given.
struct delivery {
  std::uint32_t bits = 0;
  int calls = 0;

  static void note(void* self, std::uint32_t bits) {
    auto& mine = *static_cast<delivery*>(self);
    mine.bits |= bits;
    ++mine.calls;
  }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("user bits are delivered once, at a checkpoint, all that were set",
                        "[breaker]", all_locks) {
  delivery got;
  conch::runtime_config config;
  config.on_user_bits = delivery::note;
  config.user_context = &got;
  runtime<TestType> rt(config);
  const auto self = rt.attach();
  rt.checkpoint();
  CHECK(got.calls == 0);
  rt.reasons().set(reason::user(0) | reason::user(15));
  rt.reasons().set(reason::user(3));
  CHECK(got.calls == 0);
  rt.checkpoint();
  CHECK(got.calls == 1);
  CHECK(got.bits == (reason::user(0) | reason::user(3) | reason::user(15)));
  CHECK_FALSE(rt.reasons().any());
  rt.checkpoint();
  CHECK(got.calls == 1);
}

TEMPLATE_LIST_TEST_CASE("user bits that nobody listens to are gone after a checkpoint", "[breaker]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  rt.reasons().set(reason::all_user_bits);
  CHECK_FALSE(rt.checkpoint());
  CHECK_FALSE(rt.reasons().any());
  CHECK(rt.current()->ticks() == 1);
}

TEMPLATE_LIST_TEST_CASE(
    "user bits set while no thread runs go to the next that comes to a checkpoint", "[breaker]",
    all_locks) {
  delivery got;
  conch::runtime_config config;
  config.on_user_bits = delivery::note;
  config.user_context = &got;
  runtime<TestType> rt(config);
  rt.reasons().set(reason::user(7));
  std::thread other([&] {
    const auto self = rt.attach();
    rt.checkpoint();
  });
  other.join();
  CHECK(got.calls == 1);
  CHECK(got.bits == reason::user(7));
}

TEMPLATE_LIST_TEST_CASE("what the user bits' function throws comes out of the checkpoint",
                        "[breaker]", all_locks) {
  struct failure {};
  conch::runtime_config config;
  config.on_user_bits = [](void*, std::uint32_t) { throw failure(); };
  runtime<TestType> rt(config);
  const auto self = rt.attach();
  rt.reasons().set(reason::user(1));
  CHECK_THROWS_AS(rt.checkpoint(), failure);
  CHECK_FALSE(rt.checkpoint());
}

TEMPLATE_LIST_TEST_CASE("a checkpoint ticks only when it had something to do", "[breaker]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  for (int i = 0; i < 1000; ++i) rt.checkpoint();
  CHECK(rt.current()->ticks() == 0);
  rt.reasons().set(reason::user(0));
  rt.checkpoint();
  rt.checkpoint();
  CHECK(rt.current()->ticks() == 1);
}

TEMPLATE_LIST_TEST_CASE(
    "the push function is called when the word leaves zero, and when a thread "
    "begins to run while it is not zero",
    "[breaker]", all_locks) {
  std::atomic<int> pushes{0};
  conch::runtime_config config;
  config.push = count_push;
  config.push_context = &pushes;
  runtime<TestType> rt(config);
  {
    const auto self = rt.attach();
    CHECK(pushes == 0);
    rt.checkpoint();
    { const released<TestType> out(rt); }
    CHECK(pushes == 0);
    rt.reasons().set(reason::user(0));
    CHECK(pushes == 1);
    rt.reasons().set(reason::user(1));
    CHECK(pushes == 1);
    {
      const auto nested = rt.attach();  // it runs already
      CHECK(pushes == 1);
    }
    { const released<TestType> out(rt); }
    CHECK(pushes == 2);
    rt.checkpoint();
    { const released<TestType> out(rt); }
    CHECK(pushes == 2);
  }
  rt.reasons().set(reason::user(0));
  CHECK(pushes == 3);
  const auto self = rt.attach();
  CHECK(pushes == 4);
}

TEMPLATE_LIST_TEST_CASE("during a push for a thread that runs, current() is that thread",
                        "[breaker]", all_locks) {
  struct seen {
    runtime<TestType>* rt = nullptr;
    void* state = nullptr;
    static void look(void* self) noexcept {
      auto& mine = *static_cast<seen*>(self);
      mine.state = mine.rt->current();
    }
  };
  seen last;
  conch::runtime_config config;
  config.push = seen::look;
  config.push_context = &last;
  runtime<TestType> rt(config);
  last.rt = &rt;
  const auto self = rt.attach();
  std::thread([&] { rt.reasons().set(reason::user(0)); }).join();
  CHECK(last.state == rt.current());
  last.state = nullptr;
  { const released<TestType> out(rt); }
  CHECK(last.state == rt.current());
}

// Three threads run in turn, each as a virtual machine that looks at no word, only at a hook of its
// own that the push function sets; another thread gives a reason, waits until it was dealt with, and
// gives the next.
TEMPLATE_LIST_TEST_CASE("a host that is pushed and never polls misses nothing", "[breaker]",
                        all_locks) {
  struct host {
    struct machine {
      std::atomic<void*> state{nullptr};
      std::atomic<bool> hook{false};
    };
    runtime<TestType>* rt = nullptr;
    std::array<machine, 3> machines;
    std::atomic<int> dealt_with{0};

    static void set_hook(void* self) noexcept {
      auto& mine = *static_cast<host*>(self);
      auto* const runs = mine.rt->current();
      for (auto& each : mine.machines)
        if (runs != nullptr && each.state == runs) each.hook = true;
    }
    static void deal_with(void* self, std::uint32_t) { ++static_cast<host*>(self)->dealt_with; }
  };
  host vm;
  conch::runtime_config config;
  config.push = host::set_hook;
  config.push_context = &vm;
  config.on_user_bits = host::deal_with;
  config.user_context = &vm;
  runtime<TestType> rt(config);
  vm.rt = &rt;
  std::atomic<bool> stop{false};
  std::thread machines([&] {
    on_threads(3, [&](int place) {
      auto& mine = vm.machines[static_cast<std::size_t>(place)];
      const auto self = rt.attach();
      mine.state = rt.current();
      rt.checkpoint();  // for a push that came before the hook could be set
      for (int instructions = 0; !stop; ++instructions) {
        if (mine.hook.exchange(false)) rt.checkpoint();
        if (instructions % 64 != 0) continue;
        const released<TestType> out(rt);  // a blocking call
        std::this_thread::yield();
      }
    });
  });
  for (int i = 0; i < rounds(500); ++i) {
    rt.reasons().set(reason::user(static_cast<unsigned>(i) % 16));
    await([&] { return vm.dealt_with > i; });
  }
  stop = true;
  machines.join();
  CHECK(vm.dealt_with == rounds(500));
}

// waiter    attach ·························· has it
// runner    runs ─ (pushed) ─ checkpoint ─ …
TEMPLATE_LIST_TEST_CASE("who waits for a lock that asks has the one that runs pushed", "[breaker]",
                        all_locks) {
  if constexpr (requires(TestType & lock) { lock.request(); }) {
    std::atomic<int> pushes{0};
    conch::runtime_config config;
    config.push = count_push;
    config.push_context = &pushes;
    runtime<TestType> rt(config);
    const auto self = rt.attach();
    std::thread waiter([&] { const auto its_self = rt.attach(); });
    await([&] { return pushes > 0; });
    CHECK((rt.reasons().seen() & reason::drop) != 0);
    bool switched = false;
    while (!switched) switched = rt.checkpoint();
    let_go_and_join(rt, waiter);
  }
}
