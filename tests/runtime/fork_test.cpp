// SPDX-License-Identifier: MIT

// What is left of a runtime in a forked child: the calling thread, and nothing that was asked for.

#include "../support/child_process.hpp"
#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <conch/platform/posix_process.hpp>
#include <conch/runtime/condition.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using conch::condition;
using conch::released;
using conch::run_on;
using conch::runtime;

namespace {

enum outcome : int {
  all_well,
  wrong_current,
  other_threads_left,
  not_main,
  reasons_left,
  calls_left,
  no_room_for_calls,
  calls_not_made,
  exceptions_left,
  signals_left,
  signal_not_handled,
  waiters_left,
  threads_do_not_run,
  grandchild_failed,
};

/// How a runtime hears of a fork.
enum class hears { by_hand, as_follower };

/// Whether a thread that does not run may fork a process with a follower; see runtime::follow_forks().
#if defined(__GLIBC__) && !__GLIBC_PREREQ(2, 36)
constexpr bool others_may_fork = false;
#else
constexpr bool others_may_fork = true;
#endif

/// A runtime and what the tests do with it, in parent and child alike.
template <class Lock>
struct universe {
  explicit universe(hears h) : how(h) {
    if (how == hears::as_follower) rt.follow_forks();
  }

  const hears how;
  runtime<Lock> rt;
  condition<Lock> door{rt};
  condition<Lock> never{rt};
  std::atomic<int> calls_made{0};
  std::atomic<int> signals_handled{0};

  static void count_call(void* self) { ++static_cast<universe*>(self)->calls_made; }
  conch::pending_call call() { return {count_call, this}; }
  void listen() {
    rt.on_signal(SIGUSR1, [this](int) { ++signals_handled; });
  }

  /// Forks. In the child, exits with what body() returns.
  template <class Body>
  ::pid_t fork(Body body) {
    if (how == hears::by_hand) rt.before_fork();
    const auto child = ::fork();
    if (child == 0) {
      conch::testing::detail::prepare_child(STDERR_FILENO);
      if (how == hears::by_hand) rt.after_fork_in_child();
      ::_exit(body());
    }
    if (how == hears::by_hand) rt.after_fork_in_parent();
    return child;
  }
};

/// What a child exited with, or minus the signal that killed it.
int outcome_of(::pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    // A signal that the tests send.
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// Threads of the child's own run, wait and wake each other. The caller runs.
template <class Lock>
bool threads_run(universe<Lock>& u) {
  int turn = 0;
  constexpr int turns = 12;
  std::vector<std::thread> players;
  for (int player = 0; player < 2; ++player)
    players.emplace_back([&u, &turn, player] {
      const auto self = u.rt.attach();
      while (turn < turns) {
        if (turn % 2 == player) {
          ++turn;
          u.door.notify_all();
        }
        u.rt.checkpoint();
        u.door.wait([&] { return turn >= turns || turn % 2 == player; });
      }
    });
  u.door.wait([&] { return turn >= turns; });
  for (auto& player : players) let_go_and_join(u.rt, player);
  return u.rt.threads() == 1;
}

/// In the child: the runtime must have nothing left of the parent's, and serve as a new one does.
template <class Lock>
outcome use_in_child(universe<Lock>& u, bool runs, bool forks_again = true) {
  auto& rt = u.rt;
  if (rt.is_running() != runs || (rt.current() != nullptr) != runs) return wrong_current;
  if (rt.lock().is_locked() != runs || rt.lock().waiters() != 0) return wrong_current;
  const int calls = u.calls_made;
  const int signals = u.signals_handled;
  {
    const auto self = rt.attach();
    if (rt.threads() != 1) return other_threads_left;
    if (!rt.is_main_thread()) return not_main;
    if (rt.current()->id() != conch::posix_platform::this_thread()) return wrong_current;
    if ((rt.reasons().seen() & ~conch::reason::all_user_bits) != 0) return reasons_left;
    if (rt.checkpoint()) return threads_do_not_run;
    if (u.calls_made != calls) return calls_left;
    if (u.signals_handled != signals) return signals_left;

    for (const auto where : {run_on::any_thread, run_on::main_thread})
      for (int i = 0; i < 32; ++i)
        if (!rt.add_pending_call(u.call(), where)) return no_room_for_calls;
    rt.checkpoint();
    if (u.calls_made != calls + 64) return calls_not_made;

    u.listen();
    unblock_signals();
    ::raise(SIGUSR1);
    u.never.wait([&] { return u.signals_handled != signals; });
    if (u.signals_handled != signals + 1) return signal_not_handled;
    rt.on_signal(SIGUSR1, {});

    u.never.notify_all();
    u.door.notify_one();
    if (u.never.wait_until(conch::posix_platform::now() + 1ms) != conch::wait_result::timed_out)
      return waiters_left;
    released_if_slow(rt, [] {});
    // ThreadSanitizer cannot follow threads that a forked child starts.
    if (!under_tsan && !threads_run(u)) return threads_do_not_run;
  }
  if (!forks_again) return all_well;
  const auto grandchild = u.fork([&] { return static_cast<int>(use_in_child(u, runs, false)); });
  return outcome_of(grandchild) == all_well ? all_well : grandchild_failed;
}

/// Who forks, and in which state.
enum class forker { runs, runs_nested, has_let_go, is_not_attached };
constexpr auto all_forkers = {forker::runs, forker::runs_nested, forker::has_let_go,
                              forker::is_not_attached};

template <class Lock>
int fork_as(forker who, universe<Lock>& u) {
  const bool runs = who == forker::runs || who == forker::runs_nested;
  const auto fork = [&] { return u.fork([&] { return static_cast<int>(use_in_child(u, runs)); }); };
  if (who == forker::is_not_attached) return outcome_of(fork());
  const auto self = u.rt.attach();
  std::optional<conch::attachment<Lock>> nested;
  if (who == forker::runs_nested) nested.emplace(u.rt);
  if (runs) {
    const auto child = fork();
    const released<Lock> out(u.rt);
    return outcome_of(child);
  }
  const released<Lock> out(u.rt);
  return outcome_of(fork());
}

}  // namespace

// waiter     attach ─ wait ························································ woken
// sleeper    attach ─ released ···················································· end
// hog        attach ─ checkpoint ─ checkpoint ─ …
// main       (calls, a signal and an exception stand) fork
// child                                                    use ─ fork ─ exit
// grandchild                                                        use ─ exit
TEMPLATE_LIST_TEST_CASE(
    "in a child only the calling thread is left, with nothing asked of it, and "
    "the runtime serves",
    "[fork]", all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  for (const bool from_main : {true, false})
    for (const auto who : all_forkers) {
      universe<TestType> u(how);
      auto& rt = u.rt;
      std::atomic<thread_id> waiter_id{0};
      std::atomic<bool> asleep{false};
      std::atomic<bool> end{false};
      std::thread waiter([&] {
        const auto self = rt.attach();
        waiter_id = conch::posix_platform::this_thread();
        try {
          u.never.wait([&] { return end.load(); });
        } catch (int) {
          u.never.wait([&] { return end.load(); });
        }
      });
      std::thread sleeper([&] {
        const auto self = rt.attach();
        const released<TestType> out(rt);
        asleep = true;
        await([&] { return end.load(); });
      });
      await([&] { return waiter_id != 0 && asleep; });
      int result = -1;
      {
        const auto self = rt.attach();
        u.listen();
        const released<TestType> out(rt);
      }
      hogs<TestType> computing(rt, 1);
      await([&] { return computing.checkpoints() > 0; });
      const auto ask_and_fork = [&] {
        CHECK(rt.add_pending_call(u.call(), run_on::main_thread));
        ::raise(SIGUSR1);
        result = fork_as(who, u);
      };
      if (from_main)
        ask_and_fork();
      else
        std::thread([&] {
          (void)rt.add_pending_call(u.call(), run_on::main_thread);
          result = fork_as(who, u);
        }).join();
      CAPTURE(from_main, static_cast<int>(who), static_cast<int>(how));
      CHECK(result == all_well);
      {
        const auto self = rt.attach();
        end = true;
        u.never.notify_all();
        rt.checkpoint();
        CHECK(u.calls_made == 1);
        CHECK(u.signals_handled == (from_main ? 1 : 0));
      }
      waiter.join();
      sleeper.join();
    }
}

// waiter    attach ········································ runs
// main      runs ─ (one waits for the lock) ─ fork ─ detach
// child                                          use ─ exit
TEMPLATE_LIST_TEST_CASE("a child does not know of those that waited for the lock at the fork",
                        "[fork]", all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  universe<TestType> u(how);
  std::thread waiter;
  {
    const auto self = u.rt.attach();
    waiter = std::thread([&] { const auto its_self = u.rt.attach(); });
    await_waiters(u.rt.lock(), 1);
    const auto child = u.fork([&] { return static_cast<int>(use_in_child(u, true)); });
    CHECK(outcome_of(child) == all_well);
    CHECK(u.rt.threads() == 1);
  }
  waiter.join();
}

TEMPLATE_LIST_TEST_CASE("the parent runs after a fork as before", "[fork]", all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  universe<TestType> u(how);
  const auto nothing = [] { return 0; };
  CHECK(outcome_of(u.fork(nothing)) == 0);
  CHECK_FALSE(u.rt.is_running());
  CHECK_FALSE(u.rt.lock().is_locked());
  const auto self = u.rt.attach();
  auto* const state = u.rt.current();
  CHECK(outcome_of(u.fork(nothing)) == 0);
  CHECK(u.rt.current() == state);
  CHECK_FALSE(another_thread_can_take(u.rt.lock()));
  const released<TestType> out(u.rt);
  CHECK(outcome_of(u.fork(nothing)) == 0);
  CHECK_FALSE(u.rt.is_running());
  CHECK(another_thread_can_take(u.rt.lock()));
}

TEMPLATE_LIST_TEST_CASE(
    "an exception raised in the thread that forks is thrown in parent and child", "[fork]",
    all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  universe<TestType> u(how);
  const auto self = u.rt.attach();
  u.rt.raise_in(conch::posix_platform::this_thread(), std::make_exception_ptr(4));
  const auto throws = [&] {
    try {
      u.never.wait([] { return false; });
    } catch (int number) {
      return number;
    }
    return 0;
  };
  CHECK(outcome_of(u.fork(throws)) == 4);
  CHECK(throws() == 4);
}

TEMPLATE_LIST_TEST_CASE("a call may fork inside a checkpoint, and the child makes calls after that",
                        "[fork]", all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  universe<TestType> u(how);
  struct forking {
    universe<TestType>* all;
    ::pid_t child;
    int made_inside;
  };
  forking f{&u, -1, 0};
  const auto fork_in_call = [](void* argument) {
    auto& mine = *static_cast<forking*>(argument);
    auto& rt = mine.all->rt;
    if (mine.all->how == hears::by_hand) rt.before_fork();
    mine.child = ::fork();
    if (mine.child != 0) {
      if (mine.all->how == hears::by_hand) rt.after_fork_in_parent();
      return;
    }
    conch::testing::detail::prepare_child(STDERR_FILENO);
    if (mine.all->how == hears::by_hand) rt.after_fork_in_child();
    (void)rt.add_pending_call(mine.all->call());
    rt.checkpoint();  // inside the call, as before the fork
    mine.made_inside = mine.all->calls_made;
  };
  const auto self = u.rt.attach();
  CHECK(u.rt.add_pending_call({fork_in_call, &f}));
  CHECK(u.rt.add_pending_call(u.call()));
  u.rt.checkpoint();
  if (f.child == 0) {  // its own call, not the one that stood at the fork
    u.rt.checkpoint();
    if (f.made_inside != 0) ::_exit(calls_left);
    if (u.calls_made != 1) ::_exit(calls_not_made);
    ::_exit(use_in_child(u, true, false));
  }
  CHECK(outcome_of(f.child) == all_well);
  CHECK(u.calls_made == 1);
}

TEMPLATE_LIST_TEST_CASE("a child can fork and be destroyed as its parent", "[fork]", all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  std::optional<universe<TestType>> u(std::in_place, how);
  std::atomic<bool> end{false};
  std::atomic<bool> there{false};
  std::thread sleeper([&] {
    const auto self = u->rt.attach();
    const released<TestType> out(u->rt);
    there = true;
    await([&] { return end.load(); });
  });
  await([&] { return there.load(); });
  const auto child = u->fork([&] {
    u.reset();  // which it could not if a thread were attached
    const auto grandchild = ::fork();
    if (grandchild == 0) ::_exit(0);
    return outcome_of(grandchild);
  });
  CHECK(outcome_of(child) == 0);
  end = true;
  sleeper.join();
}

TEMPLATE_LIST_TEST_CASE("many runtimes follow one fork", "[fork]", all_locks) {
  universe<TestType> a(hears::as_follower);
  universe<TestType> b(hears::as_follower);
  universe<TestType> c(hears::as_follower);
  hogs<TestType> in_b(b.rt, 1);
  await([&] { return in_b.checkpoints() > 0; });
  const auto self = a.rt.attach();
  const auto in_c = c.rt.attach();
  const released<TestType> out_of_c(c.rt);
  const auto child = a.fork([&] {
    for (const auto& [u, runs] : {std::pair(&a, true), std::pair(&b, false), std::pair(&c, false)})
      if (const auto result = use_in_child(*u, runs, false); result != all_well)
        return static_cast<int>(result);
    return 0;
  });
  const released<TestType> out(a.rt);
  CHECK(outcome_of(child) == all_well);
}

namespace {

/// A listener whose handlers do not return before they may.
struct lingering : conch::posix_process::signal_listener {
  lingering() : signal_listener(&lingering::arrive) {}
  std::atomic<bool> inside{false};
  std::atomic<bool> leave{false};

private:
  static void arrive(signal_listener& self, int) noexcept {
    auto& mine = static_cast<lingering&>(self);
    mine.inside = true;
    while (!mine.leave) conch::posix_platform::relax();
  }
};

}  // namespace

// other    (in a signal's handler) ───────────────────────────── leaves it
// main                         fork
// child                            remove a handler ─ exit
TEMPLATE_LIST_TEST_CASE("a child can remove a handler though another thread was in one at the fork",
                        "[fork]", all_locks) {
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  universe<TestType> u(how);
  lingering listener;
  conch::posix_process::listen(SIGUSR2, listener);
  std::thread other([] { ::pthread_kill(::pthread_self(), SIGUSR2); });
  await([&] { return listener.inside.load(); });
  const auto self = u.rt.attach();
  u.listen();
  const auto child = u.fork([&] {
    u.rt.on_signal(SIGUSR1, {});
    return 0;
  });
  CHECK(outcome_of(child) == 0);
  listener.leave = true;
  other.join();
  conch::posix_process::stop_listening(SIGUSR2, listener);
}

// Stress ----------------------------------------------------------------------------------------

// runner      checkpoint ─ slow call ─ yield ─ …
// a, b        wait ─ notify ─ wait ─ …                     (ping-pong, with timeouts)
// asker       pending calls ─ exceptions for a and b ─ …
// signaller   signals to main, itself, the process        (not attached)
// forker      fork ─ fork ─ …                              (attached, not the main thread)
// main        fork, running or not ─ checkpoint ─ …
TEMPLATE_LIST_TEST_CASE(
    "every child of hundreds of forks in the middle of everything runs to its end", "[fork]",
    all_locks) {
  constexpr bool is_fmq = std::is_same_v<TestType, conch::fmq_lock>;
  const int forks = is_fmq ? (instrumented ? 50 : 250) : (instrumented ? 10 : 50);
  const auto how = GENERATE(hears::by_hand, hears::as_follower);
  universe<TestType> u(how);
  auto& rt = u.rt;
  std::atomic<bool> stop{false};
  std::atomic<int> there{0};
  std::atomic<thread_id> waiters[2] = {};
  int turn = 0;  // guarded by the lock
  const auto main_thread = ::pthread_self();
  {
    const auto self = rt.attach();
    u.listen();
  }
  const auto attached = [&](auto body) {
    return std::thread([&rt, &there, &stop, body] {
      const auto self = rt.attach();
      ++there;
      while (!stop) {
        try {
          body();
        } catch (int) {
        }
      }
    });
  };
  std::vector<std::thread> others;
  others.push_back(attached([&] {
    for (int i = 0; i < 50; ++i) rt.checkpoint();
    released_if_slow(rt, [] { std::this_thread::yield(); });
    rt.yield();
  }));
  for (int player = 0; player < 2; ++player)
    others.push_back(attached([&, player] {
      waiters[player] = conch::posix_platform::this_thread();
      u.door.wait_until(conch::posix_platform::now() + 1ms, [&] { return turn % 2 == player; });
      ++turn;
      u.door.notify_one();
      rt.checkpoint();
    }));
  others.push_back(attached([&] {
    (void)rt.add_pending_call(u.call());
    (void)rt.add_pending_call(u.call(), run_on::main_thread);
    if (const auto id = waiters[turn % 2].load(); id != 0)
      rt.raise_in(id, std::make_exception_ptr(1));
    rt.checkpoint();
    const released<TestType> out(rt);
    std::this_thread::yield();
  }));
  others.emplace_back([&] {
    ++there;
    for (int i = 0; !stop; ++i) {
      if (i % 3 == 0)
        ::pthread_kill(main_thread, SIGUSR1);
      else if (i % 3 == 1)
        ::pthread_kill(::pthread_self(), SIGUSR1);
      else
        ::kill(::getpid(), SIGUSR1);
      std::this_thread::yield();
    }
  });
  const auto fork_once = [&](bool runs) {
    return u.fork([&, runs] { return static_cast<int>(use_in_child(u, runs, false)); });
  };
  std::atomic<int> failures{0};
  std::atomic<int> last_failure{0};
  std::atomic<bool> beside_done{false};
  const auto expect_well = [&](::pid_t child) {
    if (const int result = outcome_of(child); result != all_well) {
      ++failures;
      last_failure = result;
    }
  };
  others.emplace_back([&] {
    ++there;
    await([&] { return there == 6; });
    for (int i = 0; i < forks / 5; ++i) {
      const auto self = rt.attach();
      const auto child = fork_once(true);
      const released<TestType> out(rt);
      expect_well(child);
    }
    beside_done = true;
    await([&] { return stop.load(); });
  });
  // A thread that starts or ends may be inside a sanitizer's allocator, which a child could not use.
  await([&] { return there == 6; });
  for (int i = 0; i < forks - forks / 5; ++i) {
    const int kind = how == hears::as_follower && !others_may_fork ? 1 : i % 3;
    if (kind == 0) {
      expect_well(fork_once(false));  // not attached
      continue;
    }
    const auto self = rt.attach();
    rt.checkpoint();
    if (kind == 1) {
      const auto child = fork_once(true);
      const released<TestType> out(rt);
      expect_well(child);
    } else {
      const released<TestType> out(rt);
      expect_well(fork_once(false));
    }
  }
  await([&] { return beside_done.load(); });
  stop = true;
  for (auto& other : others) other.join();
  INFO("the last one that failed: " << last_failure);
  CHECK(failures == 0);
  CHECK(u.calls_made > 0);
}
