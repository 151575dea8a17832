// SPDX-License-Identifier: MIT

// The end of a runtime: who ends it runs on, and nobody else.

#include "../support/child_process.hpp"
#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <conch/runtime/condition.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::condition;
using conch::deeper;
using conch::finalized_threads;
using conch::released;
using conch::runtime;
using conch::runtime_finalized;

namespace {

conch::runtime_config that(finalized_threads does) {
  conch::runtime_config config;
  config.when_finalized = does;
  return config;
}

/// Threads that are wherever a thread can be when a runtime ends; none of them may run after that.
template <class Lock>
class threads_everywhere {
public:
  explicit threads_everywhere(runtime<Lock>& owner) : rt_(owner), never_(owner) {
    held_.lock();
    add([this] { come_to_checkpoints_until(rt_, [] { return false; }); });
    add([this] {
      for (;;) {
        rt_.checkpoint();
        rt_.yield();
      }
    });
    add([this] { never_.wait([] { return false; }); });
    add([this] {
      for (;;) never_.wait_until(conch::posix_platform::now() + std::chrono::milliseconds(1));
    });
    add([this] {
      const auto nested = rt_.attach();
      const deeper one_deeper(*rt_.current());
      const released<Lock> out(rt_);
      await([this] { return go_.load(); });
    });
    add([this] {
      const released<Lock> out(rt_, &sleeping_place::wake, &place_);
      place_.sleep();
    });
    add([this] {
      const released<Lock> out(rt_);
      await([this] { return go_.load(); });
      const auto call_back = rt_.attach();
      ++ran_;
    });
    add([this] {
      const released<Lock> out(rt_);
      await([this] { return go_.load(); });
      const conch::running<Lock> call_back(rt_);
      ++ran_;
    });
    add([this] {
      released_if_slow(rt_, [this] {
        await([this] { return go_.load(); });
        const auto call_back = rt_.attach();
        ++ran_;
      });
    });
    add([this] {
      (void)conch::acquire_until(rt_, held_, conch::posix_platform::time_point::max());
      ++ran_;
    });
  }

  /// Ends the runtime, and has all threads come back. The caller runs.
  void end_runtime() {
    come_to_checkpoints_until(rt_, [this] { return attached_ == count(); });
    const auto latecomer = [this] {
      ++late_;
      while (!run([] {})) {
      }
    };
    threads_.emplace_back(latecomer);
    let_go_until(rt_, [this] { return late_ == 1; });
    rt_.finalize();
    ended_ = true;
    threads_.emplace_back(latecomer);
    go_ = true;
    place_.wake(&place_);
    never_.notify_all();
    held_.unlock();
  }
  /// How many threads there are, with the two that come late.
  [[nodiscard]] int all() const { return count() + 2; }
  [[nodiscard]] int late() const { return late_; }
  void join() {
    for (auto& thread : threads_) thread.join();
  }
  void leave_alone() {
    for (auto& thread : threads_) thread.detach();
  }

  std::atomic<int> thrown{0};
  /// How often somebody ran who may not.
  [[nodiscard]] int ran() const { return ran_; }

private:
  [[nodiscard]] int count() const { return 10; }

  /// True if the thread was turned away.
  template <class Body>
  bool run(Body body) {
    try {
      const auto self = rt_.attach();
      if (ended_) ++ran_;
      ++attached_;
      body();
      if (ended_) ++ran_;
    } catch (const runtime_finalized&) {
      if (rt_.is_running()) ++ran_;
      ++thrown;
      return true;
    }
    return false;
  }
  template <class Body>
  void add(Body body) {
    threads_.emplace_back([this, body] { run(body); });
  }

  runtime<Lock>& rt_;
  condition<Lock> never_;
  conch::fmq_lock held_;
  sleeping_place place_;
  std::atomic<bool> go_{false};
  std::atomic<bool> ended_{false};
  std::atomic<int> attached_{0};
  std::atomic<int> late_{0};
  std::atomic<int> ran_{0};
  std::vector<std::thread> threads_;
};

/// What a finaliser can still do: everything. False if something does not work.
template <class Lock>
bool is_usable_by_finalizer(runtime<Lock>& rt) {
  if (!rt.is_running() || !rt.is_finalized()) return false;
  bool made = false;
  if (!rt.add_pending_call({[](void* done) { *static_cast<bool*>(done) = true; }, &made}))
    return false;
  rt.checkpoint();
  if (!made) return false;
  condition<Lock> door(rt);
  if (door.wait_until(conch::posix_platform::now()) != conch::wait_result::timed_out) return false;
  {
    const released<Lock> out(rt);
    const auto call_back = rt.attach();
    if (rt.current()->nesting() != 2) return false;
  }
  rt.yield();
  return rt.is_running();
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("who ends a runtime runs on, and may leave it and come back", "[end]",
                        all_locks) {
  const auto does = GENERATE(finalized_threads::park, finalized_threads::throw_error);
  runtime<TestType> rt(that(does));
  {
    const auto self = rt.attach();
    CHECK_FALSE(rt.is_finalized());
    rt.finalize();
    CHECK(rt.is_finalized());
    CHECK(is_usable_by_finalizer(rt));
  }
  const auto self = rt.attach();
  CHECK(is_usable_by_finalizer(rt));
}

// others   wherever a thread can be ──────────────────── come back: runtime_finalized
// main                                    finalize ─ …                    runs on
TEMPLATE_LIST_TEST_CASE("threads that come back to a runtime that ended throw, wherever they were",
                        "[end]", all_locks) {
  for (int i = 0; i < rounds(5); ++i) {
    runtime<TestType> rt(that(finalized_threads::throw_error));
    threads_everywhere<TestType> others(rt);
    {
      const auto self = rt.attach();
      others.end_runtime();
      CHECK(is_usable_by_finalizer(rt));
      const released<TestType> out(rt);
      others.join();
    }
    CHECK(others.thrown == others.all());
    CHECK(others.ran() == 0);
    const auto self = rt.attach();
    CHECK(rt.threads() == 1);
  }
}

TEMPLATE_LIST_TEST_CASE("a runtime may be ended by a thread that is not the main one", "[end]",
                        all_locks) {
  runtime<TestType> rt(that(finalized_threads::throw_error));
  bool usable = false;
  std::atomic<bool> ended{false};
  std::thread other([&] {
    const auto self = rt.attach();
    rt.finalize();
    usable = is_usable_by_finalizer(rt);
    ended = true;
    rt.yield();
  });
  await([&] { return ended.load(); });
  CHECK_THROWS_AS(rt.attach(), runtime_finalized);
  CHECK_FALSE(rt.is_running());
  other.join();
  CHECK(usable);
}

TEMPLATE_LIST_TEST_CASE("a thread with the id of a finaliser that has ended is turned away",
                        "[end]", all_locks) {
  runtime<TestType> rt(that(finalized_threads::throw_error));
  conch::testing::thread_id finalizer{};
  std::thread([&] {
    const auto self = rt.attach();
    rt.finalize();
    finalizer = conch::posix_platform::this_thread();
  }).join();
  bool turned_away = false;
  on_thread_with_id_of_another(finalizer, [&] {
    try {
      const auto self = rt.attach();
    } catch (const runtime_finalized&) {
      turned_away = true;
    }
  });
  CHECK(turned_away);
}

TEMPLATE_LIST_TEST_CASE("one that is turned away throws again each time that it tries", "[end]",
                        all_locks) {
  runtime<TestType> rt(that(finalized_threads::throw_error));
  std::atomic<bool> ended{false};
  int times = 0;
  int wrong = 0;
  std::thread other([&] {
    try {
      const auto self = rt.attach();
      const released<TestType> out(rt);
      await([&] { return ended.load(); });
      for (int i = 0; i < 3; ++i) try {
          const auto call_back = rt.attach();
          ++wrong;
        } catch (const runtime_finalized&) {  // as foreign code may do between us and the region
          ++times;
        }
    } catch (const runtime_finalized&) {  // from the end of the region
      ++times;
    }
    wrong += rt.is_running() ? 1 : 0;
  });
  {
    const auto self = rt.attach();
    come_to_checkpoints_until(rt, [&] { return rt.threads() == 2; });
    rt.finalize();
    ended = true;
    let_go_and_join(rt, other);
  }
  CHECK(times == 4);
  CHECK(wrong == 0);
}

// other    released ···· turned away: throws ─ unwinds (held up) ────────────── (deeper ends)
// main     finalize ─ detach            attach ─ deeper ··············· depth is 1
TEMPLATE_LIST_TEST_CASE("a thread that unwinds from an ended runtime leaves others' states alone",
                        "[end]", all_locks) {
  struct hold_up {
    std::atomic<bool>& here;
    const std::atomic<bool>& go_on;
    ~hold_up() {
      here = true;
      await([this] { return go_on.load(); });
    }
  };
  runtime<TestType> rt(that(finalized_threads::throw_error));
  std::atomic<bool> ended{false};
  std::atomic<bool> unwinds{false};
  std::atomic<bool> go_on{false};
  std::thread other([&] {
    try {
      const auto self = rt.attach();
      const deeper one_deeper(*rt.current());
      const hold_up held{unwinds, go_on};
      const released<TestType> out(rt);
      await([&] { return ended.load(); });
    } catch (const runtime_finalized&) {
    }
  });
  {
    const auto self = rt.attach();
    come_to_checkpoints_until(rt, [&] { return rt.threads() == 2; });
    rt.finalize();
  }
  ended = true;
  await([&] { return unwinds.load(); });
  const auto self = rt.attach();
  const deeper mine(*rt.current());
  CHECK(rt.current()->depth() == 1);
  go_on = true;
  other.join();
  CHECK(rt.current()->depth() == 1);
}

// main   (call: released ···· turned away ─ unwinds) │ the calls behind it are made by the finaliser
TEMPLATE_LIST_TEST_CASE("calls behind one that is turned away are made by the finaliser", "[end]",
                        all_locks) {
  runtime<TestType> rt(that(finalized_threads::throw_error));
  struct shared {
    runtime<TestType>* rt;
    std::atomic<bool> inside{false};
    std::atomic<bool> ended{false};
    bool made = false;
  } all;
  all.rt = &rt;
  std::thread other([&] {
    try {
      const auto self = rt.attach();
      (void)rt.add_pending_call({[](void* argument) {
                                   auto& mine = *static_cast<shared*>(argument);
                                   const released<TestType> out(*mine.rt);
                                   mine.inside = true;
                                   await([&] { return mine.ended.load(); });
                                 },
                                 &all});
      (void)rt.add_pending_call(
          {[](void* argument) { static_cast<shared*>(argument)->made = true; }, &all});
      rt.checkpoint();
    } catch (const runtime_finalized&) {
    }
  });
  const auto self = rt.attach();
  let_go_until(rt, [&] { return all.inside.load(); });
  rt.finalize();
  all.ended = true;
  let_go_and_join(rt, other);
  rt.checkpoint();
  CHECK(all.made);
}

// Parked threads never end, and so these run in children.

namespace {

enum outcome : int { all_well, not_usable, somebody_ran, somebody_threw };

}  // namespace

TEMPLATE_LIST_TEST_CASE("threads that come back to a runtime that ended park, wherever they were",
                        "[end]", all_locks) {
  for (int i = 0; i < rounds(5); ++i) {
    const auto end = run_in_child([] {
      static runtime<TestType> rt(that(finalized_threads::park));
      static threads_everywhere<TestType> others(rt);
      const auto self = rt.attach();
      others.end_runtime();
      if (!is_usable_by_finalizer(rt)) return static_cast<int>(not_usable);
      // Each that came back is parked, and attached no more.
      come_to_checkpoints_until(rt, [] { return rt.threads() == 1 && others.late() == 2; });
      if (!is_usable_by_finalizer(rt)) return static_cast<int>(not_usable);
      if (others.ran() != 0) return static_cast<int>(somebody_ran);
      return static_cast<int>(others.thrown == 0 ? all_well : somebody_threw);
    });
    INFO(end.describe());
    CHECK(end.exited_with(all_well));
  }
}

// Where an exception is under way, another one would end the program.
TEMPLATE_LIST_TEST_CASE("a thread that comes back while an exception is under way parks", "[end]",
                        all_locks) {
  const auto end = run_in_child([] {
    static runtime<TestType> rt(that(finalized_threads::throw_error));
    static std::atomic<bool> ended{false};
    static std::atomic<bool> ran{false};
    std::thread([] {
      try {
        const auto self = rt.attach();
        const released<TestType> out(rt);
        await([] { return ended.load(); });
        throw std::runtime_error("under way");
      } catch (...) {
        ran = true;
      }
      ran = true;
    }).detach();
    const auto self = rt.attach();
    come_to_checkpoints_until(rt, [] { return rt.threads() == 2; });
    rt.finalize();
    ended = true;
    come_to_checkpoints_until(rt, [] { return rt.threads() == 1; });
    return static_cast<int>(ran ? somebody_ran : all_well);
  });
  INFO(end.describe());
  CHECK(end.exited_with(all_well));
}
