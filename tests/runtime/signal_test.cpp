// SPDX-License-Identifier: MIT

// Signals, whose handlers run on the main thread, at a checkpoint, wherever it is when they come.

#include "../support/random.hpp"
#include "../support/sanitizers.hpp"
#include "attached.hpp"

#include <conch/runtime/arrived_signals.hpp>
#include <conch/runtime/condition.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::condition;
using conch::released;
using conch::runtime;

TEST_CASE("signals that arrived are taken once each, the lowest number first", "[signals]") {
  conch::arrived_signals<conch::posix_platform> signals;
  CHECK_FALSE(signals.any());
  CHECK(signals.take() == 0);
  for (const int signo : {64, 1, 33, 32, 10, 33}) signals.add(signo);
  CHECK(signals.any());
  for (const int signo : {1, 10, 32, 33, 64}) CHECK(signals.take() == signo);
  CHECK_FALSE(signals.any());
  CHECK(signals.take() == 0);
  signals.add(5);
  signals.clear();
  CHECK(signals.take() == 0);
}

namespace {

/// What a handler did.
template <class Lock>
struct record {
  explicit record(runtime<Lock>& owner) : rt(owner) {}
  runtime<Lock>& rt;
  std::atomic<int> runs{0};
  std::atomic<int> last{0};
  std::atomic<int> wrong{0};

  auto handler() {
    return [this](int signo) {
      if (!rt.is_running() || !rt.is_main_thread()) ++wrong;
      last = signo;
      ++runs;
    };
  }
};

void (*disposition(int signo))(int) {
  struct sigaction now = {};
  ::sigaction(signo, nullptr, &now);
  return now.sa_handler;
}

/// Where a signal comes to.
enum class target { main_thread, other_thread, process };

/// Sends signals from a thread of its own, or has them come to that thread.
class sender {
public:
  explicit sender(::pthread_t main_thread) : main_thread_(main_thread) {}
  void send(int signo, target to) const {
    switch (to) {
      case target::main_thread:
        ::pthread_kill(main_thread_, signo);
        return;
      case target::other_thread:
        ::pthread_kill(::pthread_self(), signo);
        return;
      case target::process:
        ::kill(::getpid(), signo);
        return;
    }
  }

private:
  ::pthread_t main_thread_;
};

constexpr auto all_targets = {target::main_thread, target::other_thread, target::process};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a signal's handler runs at the main thread's next checkpoint, not before",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  rt.on_signal(SIGUSR2, got.handler());
  rt.checkpoint();
  CHECK(got.runs == 0);
  std::raise(SIGUSR1);
  CHECK(got.runs == 0);
  rt.checkpoint();
  CHECK(got.runs == 1);
  CHECK(got.last == SIGUSR1);
  std::raise(SIGUSR2);
  std::raise(SIGUSR2);  // two before they are taken are one
  rt.checkpoint();
  CHECK(got.runs == 2);
  CHECK(got.last == SIGUSR2);
  rt.checkpoint();
  CHECK(got.runs == 2);
  CHECK(got.wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("a signal that is told by hand runs its handler as one that came",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  rt.signal_arrived(SIGUSR1);
  rt.checkpoint();
  CHECK(got.runs == 1);
}

// main     released ···················· end ─ checkpoint: handler
// other       attach ─ signal ─ checkpoints: no handler
TEMPLATE_LIST_TEST_CASE("a signal that comes to another thread is handled by the main one",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  std::atomic<bool> done{false};
  std::thread other([&] {
    const auto its_self = rt.attach();
    ::pthread_kill(::pthread_self(), SIGUSR1);
    for (int i = 0; i < 1000; ++i) rt.checkpoint();
    done = true;
  });
  // ThreadSanitizer of g++ 12 may lose a signal that comes while the thread is in pthread_join().
  let_go_until(rt, [&] { return done.load(); });
  CHECK(got.runs == 0);
  come_to_checkpoints_until(rt, [&] { return got.runs == 1; });  // it goes on from there to here
  CHECK(got.wrong == 0);
  let_go_and_join(rt, other);
}

TEMPLATE_LIST_TEST_CASE(
    "a signal that came before the main thread attached is handled when it does", "[signals]",
    all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  {
    const auto self = rt.attach();
    rt.on_signal(SIGUSR1, got.handler());
  }
  std::raise(SIGUSR1);
  condition<TestType> never(rt);
  const auto self = rt.attach();
  CHECK(got.runs == 0);
  CHECK(never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                         [&] { return got.runs != 0; }));
}

TEMPLATE_LIST_TEST_CASE("a handler can be replaced and removed, also by itself", "[signals]",
                        all_locks) {
  runtime<TestType> rt;
  const auto before = disposition(SIGUSR1);
  {
    const auto self = rt.attach();
    int first = 0;
    int second = 0;
    int third = 0;
    rt.on_signal(SIGUSR1, [&](int) { ++first; });
    CHECK(disposition(SIGUSR1) != before);
    std::raise(SIGUSR1);
    rt.checkpoint();
    CHECK(first == 1);
    rt.on_signal(SIGUSR1, [&](int) {
      ++second;
      rt.on_signal(SIGUSR1, [&, kept = std::string(100, 'x')](int) { third += kept[99] == 'x'; });
    });
    std::raise(SIGUSR1);
    rt.checkpoint();
    std::raise(SIGUSR1);
    rt.checkpoint();
    CHECK(first == 1);
    CHECK(second == 1);
    CHECK(third == 1);
    rt.on_signal(SIGUSR1, {});
    CHECK(disposition(SIGUSR1) == before);
    rt.on_signal(SIGUSR1, {});  // again: nothing to remove
    rt.on_signal(SIGUSR1, [&](int) { rt.on_signal(SIGUSR1, nullptr); });
    std::raise(SIGUSR1);
    rt.checkpoint();
    CHECK(disposition(SIGUSR1) == before);
  }
}

TEMPLATE_LIST_TEST_CASE("a signal that came before its handler was replaced has the new one run",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  int handled_by = 0;
  rt.on_signal(SIGUSR1, [&](int) { handled_by = 1; });
  std::raise(SIGUSR1);
  rt.on_signal(SIGUSR1, [&](int) { handled_by = 2; });
  rt.checkpoint();
  CHECK(handled_by == 2);
}

TEMPLATE_LIST_TEST_CASE("a runtime gives its signals back when it is destroyed", "[signals]",
                        all_locks) {
  const auto before = disposition(SIGUSR2);
  {
    runtime<TestType> rt;
    const auto self = rt.attach();
    rt.on_signal(SIGUSR2, [](int) {});
    CHECK(disposition(SIGUSR2) != before);
  }
  CHECK(disposition(SIGUSR2) == before);
}

namespace {

/// A handler that cannot be copied while its owner forbids it.
struct rare_handler {
  struct owner {
    bool forbids_copies = false;
    int runs = 0;
  };
  owner* of;
  explicit rare_handler(owner& its) : of(&its) {}
  rare_handler(const rare_handler& other) : of(other.of) {
    if (of->forbids_copies) throw std::runtime_error("no copy");
  }
  rare_handler& operator=(const rare_handler&) = delete;
  ~rare_handler() = default;
  void operator()(int) const { ++of->runs; }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a signal whose handler cannot be copied stays whose it was", "[signals]",
                        all_locks) {
  const auto before = disposition(SIGUSR2);
  runtime<TestType> rt;
  const auto self = rt.attach();
  rare_handler::owner owner;
  const std::function<void(int)> function = rare_handler(owner);
  owner.forbids_copies = true;
  CHECK_THROWS_AS(rt.on_signal(SIGUSR2, function), std::runtime_error);
  CHECK(disposition(SIGUSR2) == before);
}

TEMPLATE_LIST_TEST_CASE("a handler runs where it can be copied no more", "[signals]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  rare_handler::owner owner;
  rt.on_signal(SIGUSR2, rare_handler(owner));
  owner.forbids_copies = true;
  std::raise(SIGUSR2);
  rt.checkpoint();
  CHECK(owner.runs == 1);
}

TEMPLATE_LIST_TEST_CASE(
    "on_signal rejects numbers that are none, and what cannot be caught or is "
    "taken",
    "[signals]", all_locks) {
  runtime<TestType> rt;
  runtime<TestType> other;
  const auto self = rt.attach();
  const auto in_other = other.attach();
  const auto handler = [](int) {};
  for (const int signo : {0, -1, 65, 1'000'000'000}) {
    CHECK_THROWS_AS(rt.on_signal(signo, handler), std::invalid_argument);
    CHECK_THROWS_AS(rt.on_signal(signo, {}), std::invalid_argument);
  }
  CHECK_THROWS_AS(rt.on_signal(SIGKILL, handler), std::system_error);
  rt.on_signal(SIGUSR1, handler);
  CHECK_THROWS_AS(other.on_signal(SIGUSR1, handler), std::system_error);
  other.on_signal(SIGUSR1, {});  // not its own: stays
  int runs = 0;
  rt.on_signal(SIGUSR1, [&](int) { ++runs; });
  std::raise(SIGUSR1);
  rt.checkpoint();
  CHECK(runs == 1);
  rt.on_signal(SIGUSR1, {});
  other.on_signal(SIGUSR1, handler);
}

TEMPLATE_LIST_TEST_CASE(
    "a handler that throws is heard at the checkpoint, and the rest at the next", "[signals]",
    all_locks) {
  struct failure {};
  runtime<TestType> rt;
  record<TestType> got(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, [](int) { throw failure(); });
  rt.on_signal(SIGUSR2, got.handler());
  static_assert(SIGUSR1 < SIGUSR2);
  std::raise(SIGUSR2);
  std::raise(SIGUSR1);
  CHECK_THROWS_AS(rt.checkpoint(), failure);
  CHECK(got.runs == 0);
  rt.checkpoint();
  CHECK(got.runs == 1);
  // And it is not forgotten in a wait either.
  std::raise(SIGUSR2);
  std::raise(SIGUSR1);
  CHECK_THROWS_AS(rt.checkpoint(), failure);
  condition<TestType> never(rt);
  CHECK(never.wait_until(conch::posix_platform::now() + std::chrono::seconds(20),
                         [&] { return got.runs == 2; }));
}

TEMPLATE_LIST_TEST_CASE("a handler may wait, let go and come to checkpoints itself", "[signals]",
                        all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  condition<TestType> door(rt);
  bool other_ran = false;
  int inner = 0;
  rt.on_signal(SIGUSR2, [&](int) { ++inner; });
  rt.on_signal(SIGUSR1, [&](int) {
    std::thread other([&] {
      const auto its_self = rt.attach();
      other_ran = true;
      door.notify_one();
    });
    door.wait([&] { return other_ran; });
    let_go_and_join(rt, other);
    std::raise(SIGUSR2);
    rt.checkpoint();
    CHECK(inner == 1);
  });
  std::raise(SIGUSR1);
  rt.checkpoint();
  CHECK(other_ran);
}

// Wherever the main thread blocks ---------------------------------------------------------------

// main     wait ················· woken ─ checkpoint: handler ─ done
// other    attach ─ detach ─ signal
TEMPLATE_LIST_TEST_CASE("a signal wakes the main thread from a condition", "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  condition<TestType> never(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  const sender to(::pthread_self());
  for (int i = 0; i < rounds(10); ++i)
    for (const auto where : all_targets) {
      const int before = got.runs;
      std::thread other([&] {
        { const auto its_self = rt.attach(); }  // when main waits
        to.send(SIGUSR1, where);
      });
      never.wait([&] { return got.runs > before; });
      let_go_and_join(rt, other);
    }
  CHECK(got.wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("a handler that throws ends the main thread's wait", "[signals]",
                        all_locks) {
  struct keyboard_interrupt {};
  runtime<TestType> rt;
  condition<TestType> never(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGINT, [](int) { throw keyboard_interrupt(); });
  const sender to(::pthread_self());
  std::thread other([&] {
    { const auto its_self = rt.attach(); }
    to.send(SIGINT, target::process);
  });
  CHECK_THROWS_AS(never.wait([] { return false; }), keyboard_interrupt);
  CHECK(rt.is_running());
  let_go_and_join(rt, other);
}

// main     released(unblock) ─ sleeps ···· woken ─ checkpoint: handler
// other                        signal
TEMPLATE_LIST_TEST_CASE("a signal unblocks the main thread's call in a released region",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  const sender to(::pthread_self());
  for (int i = 0; i < rounds(10); ++i)
    for (const auto where : all_targets) {
      const int before = got.runs;
      sleeping_place place;
      std::atomic<bool> inside{false};
      std::thread other([&] {
        await([&] { return inside.load(); });
        to.send(SIGUSR1, where);
      });
      {
        const released<TestType> out(rt, &sleeping_place::wake, &place);
        inside = true;
        place.sleep();
      }
      rt.checkpoint();
      CHECK(got.runs == before + 1);
      CHECK(place.times_unblocked == 1);
      let_go_and_join(rt, other);
    }
  CHECK(got.wrong == 0);
}

// main     acquire_until ········ woken ─ handler ─ waits on ···· has it
// other    (holds it)     signal                      unlock
TEMPLATE_LIST_TEST_CASE("a signal is handled while the main thread waits for another lock",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  conch::fmq_lock lock;
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  const sender to(::pthread_self());
  for (int i = 0; i < rounds(10); ++i)
    for (const auto where : all_targets) {
      const int before = got.runs;
      std::atomic<bool> held{false};
      std::thread other([&] {
        lock.lock();
        held = true;
        await_waiters(lock, 1);
        to.send(SIGUSR1, where);
        await([&] { return got.runs > before; });
        lock.unlock();
      });
      let_go_until(rt, [&] { return held.load(); });
      CHECK(conch::acquire_until(rt, lock, conch::posix_platform::time_point::max()));
      CHECK(got.runs == before + 1);
      lock.unlock();
      let_go_and_join(rt, other);
    }
  CHECK(got.wrong == 0);
}

// main     released ─ read ················· EINTR ─ checkpoint: handler
// other               signal ─ signal ─ …
TEMPLATE_LIST_TEST_CASE("a signal ends the main thread's system call in a plain released region",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  record<TestType> got(rt);
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, got.handler());
  const sender to(::pthread_self());
  int pipe_ends[2];
  REQUIRE(::pipe(pipe_ends) == 0);
  for (const auto where : all_targets) {
    const int before = got.runs;
    std::atomic<bool> inside{false};
    std::atomic<bool> ended{false};
    std::thread other([&] {
      await([&] { return inside.load(); });
      while (!ended) {  // the first may come before the call begins
        to.send(SIGUSR1, where);
        std::this_thread::yield();
      }
    });
    ::ssize_t result = 0;
    {
      const released<TestType> out(rt);
      inside = true;
      char byte = 0;
      result = ::read(pipe_ends[0], &byte, 1);
      const int why = errno;
      ended = true;
      errno = why;
    }
    CHECK(result == -1);
    CHECK(errno == EINTR);
    rt.checkpoint();
    CHECK(got.runs > before);
    let_go_and_join(rt, other);
  }
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  CHECK(got.wrong == 0);
}

TEMPLATE_LIST_TEST_CASE("a signal handler leaves errno alone", "[signals]", all_locks) {
  runtime<TestType> rt;
  const auto self = rt.attach();
  rt.on_signal(SIGUSR1, [](int) {});
  errno = EDOM;
  std::raise(SIGUSR1);
  CHECK(errno == EDOM);
  std::atomic<int> elsewhere{0};
  std::thread other([&] {
    errno = ERANGE;
    ::pthread_kill(::pthread_self(), SIGUSR1);
    elsewhere = errno;
  });
  let_go_and_join(rt, other);
  CHECK(elsewhere == ERANGE);
}

// Storms ----------------------------------------------------------------------------------------

// Eight threads run, sleep and wait, and each sends its share of the signals to whomever; after every
// so many of them, and at its end, each waits until every handler has begun after the last one of its
// kind that it sent. (One kind alone says nothing of the others: those may still be on their way to
// other threads.)
//
// threads   send ─ checkpoint ─ send ─ released ─ send ─ … ─ (handlers have run since) ─ send ─ …
// main      checkpoint, wait, sleep, read, …
TEMPLATE_LIST_TEST_CASE("in a storm of 100,000 signals over 8 threads none is lost", "[signals]",
                        all_locks) {
  constexpr int threads = 8;
  const int each = rounds(100'000) / threads;
  constexpr int between_looks = 500;
  const std::array signals{SIGUSR1, SIGUSR2, SIGURG, SIGWINCH};
  runtime<TestType> rt;
  // For each signal, how many were sent, and how many had been when its handler began last.
  std::array<std::atomic<int>, 4> sent{};
  std::array<std::atomic<int>, 4> handled{};
  std::atomic<int> ended{0};
  std::atomic<std::uint64_t> runs{0};
  int inside = 0;  // not atomic: handlers run one at a time, on one thread
  std::atomic<int> overlaps{0};

  const auto self = rt.attach();
  for (std::size_t s = 0; s < signals.size(); ++s)
    rt.on_signal(signals[s], [&, s](int signo) {
      if (++inside != 1 || signo != signals[s] || !rt.is_main_thread()) ++overlaps;
      handled[s] = sent[s].load();
      ++runs;
      --inside;
    });
  std::array<std::atomic<::pthread_t>, threads + 1> everybody{};
  everybody[threads] = ::pthread_self();
  std::atomic<int> there{0};
  condition<TestType> never(rt);
  std::thread storm([&] {
    on_threads(threads, [&](int place) {
      random_numbers random(static_cast<std::uint64_t>(place));
      everybody[static_cast<std::size_t>(place)] = ::pthread_self();
      ++there;
      await([&] { return there == threads; });
      const auto its_self = rt.attach();
      std::array<int, 4> mine{};  // of each kind, how many had been sent when this thread last did
      for (int i = 1; i <= each; ++i) {
        const auto s = random.below(signals.size());
        const auto to = everybody[random.below(threads + 1)].load();
        mine[s] = ++sent[s];
        ::pthread_kill(to, signals[s]);
        if (i % 16 == 0) rt.checkpoint();
        if (i % 64 == 0) {
          const released<TestType> out(rt);
        }
        if (i % between_looks == 0 || i == each) {
          const released<TestType> out(rt);
          for (std::size_t kind = 0; kind < signals.size(); ++kind)
            await([&] {
              unblock_signals();
              return handled[kind] >= mine[kind];
            });
        }
      }
      ++ended;
      // So that the main thread does not sleep on when no signal comes any more.
      if (!rt.add_pending_call({[](void*) {}, nullptr}, conch::run_on::main_thread)) ++overlaps;
      const released<TestType> out(rt);
      await([&] {  // others still send signals to this thread
        unblock_signals();
        return ended == threads;
      });
    });
  });
  for (int i = 0; ended != threads; ++i) {
    sleeping_place place;
    switch (i % 4) {
      case 0:
        rt.checkpoint();
        break;
      case 1:
        never.wait_until(conch::posix_platform::now() + std::chrono::milliseconds(1));
        break;
      case 2: {
        const released<TestType> out(rt, &sleeping_place::wake, &place);
        if (under_tsan)
          place.sleep_until(conch::posix_platform::now() + std::chrono::milliseconds(1));
        else
          place.sleep();
      } break;
      default:
        let_go_until(rt, [] { return true; });
    }
    unblock_signals();
    rt.checkpoint();
  }
  let_go_and_join(rt, storm);
  for (std::size_t s = 0; s < signals.size(); ++s) CHECK(handled[s] == sent[s]);
  CHECK(overlaps == 0);
  CHECK(runs > 0);
  UNSCOPED_INFO("handlers run: " << runs);
}

// Producers of all kinds at once, and the main thread in waits only: what is lost is never made up for.
TEMPLATE_LIST_TEST_CASE("signals, calls and exceptions for the main thread do not lose each other",
                        "[signals]", all_locks) {
  runtime<TestType> rt;
  condition<TestType> never(rt);
  const int times = rounds(500);
  std::atomic<int> signals{0};
  std::atomic<int> calls{0};
  std::atomic<int> exceptions{0};
  const auto self = rt.attach();
  const auto main_id = conch::posix_platform::this_thread();
  const auto main_thread = ::pthread_self();
  rt.on_signal(SIGUSR1, [&](int) {
    if (++signals % 3 == 0) throw 1;
  });
  std::thread all([&] {
    on_threads(3, [&](int kind) {
      for (int i = 1; i <= times; ++i) {
        if (kind == 0) {
          ::pthread_kill(main_thread, SIGUSR1);
          await([&] { return signals == i; });
        } else if (kind == 1) {
          const conch::pending_call call{[](void* count) {
                                           if (++*static_cast<std::atomic<int>*>(count) % 3 == 0)
                                             throw 2;
                                         },
                                         &calls};
          if (!rt.add_pending_call(call, conch::run_on::main_thread)) std::abort();
          await([&] { return calls == i; });
        } else {
          {
            const auto its_self = rt.attach();
            rt.raise_in(main_id, std::make_exception_ptr(3.0));
          }
          await([&] { return exceptions == i; });
        }
      }
    });
  });
  const auto all_done = [&] { return signals == times && calls == times && exceptions == times; };
  while (!all_done()) {
    try {
      never.wait(all_done);
    } catch (int) {
    } catch (double) {
      ++exceptions;
    }
  }
  let_go_and_join(rt, all);
  CHECK(all_done());
}
