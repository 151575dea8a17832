// SPDX-License-Identifier: MIT
#include "scenarios.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/runtime/condition.hpp>
#include <conch/runtime/runtime.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <array>
#include <csignal>
#include <cstddef>
#include <new>
#include <optional>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

using sem = basic_sem_lock<sim_platform>;
using pthread = basic_pthread_lock<sim_platform>;
using tick = basic_tick_gil<sem>;
using timed = basic_timed_gil<sim_platform>;
using fmq = basic_fmq_lock<sim_platform>;
using id = sim_platform::thread_id;

/// A blocking call that can be unblocked.
struct sleeper {
  sim_platform::parker place;
  static void unblock(void* self) noexcept { static_cast<sleeper*>(self)->place.unpark().wake(); }
};

// The parts by themselves -------------------------------------------------------------------------

/// Reasons are given, then the thread is interrupted: it sees each after the call that this ends.
///
///   thread      |begin ... sleep ... end| looks, and sleeps again until it has seen both
///   interrupter   reason, interrupt           (two of them)
void interrupts() {
  interruption<sim_platform> word;
  sim_platform::atomic<unsigned> reasons{0};
  sim_platform::plain<bool> may_be_called{false};
  struct call {
    sleeper where;
    sim_platform::plain<bool>* allowed;
    sim_platform::plain<int> calls{0};
  };
  threads all;
  for (unsigned i = 0; i < 2; ++i)
    all.add([&] {
      reasons.fetch_add(1, std::memory_order_relaxed);  // published by the interrupt alone
      word.interrupt();
    });
  while (reasons.load(std::memory_order_relaxed) < 2) {
    if (pick(2) == 1) {
      word.take();
      if (reasons.load(std::memory_order_relaxed) == 2) break;
    }
    call now;
    now.allowed = &may_be_called;
    may_be_called = true;
    const auto outer = word.begin(
        [](void* argument) noexcept {
          auto& it = *static_cast<call*>(argument);
          check(*it.allowed, "an unblock function was called outside of its call");
          it.calls = it.calls + 1;
          check(it.calls <= 1, "an unblock function was called twice");
          sleeper::unblock(&it.where);
        },
        &now);
    now.where.place.park();
    word.end(outer);
    may_be_called = false;
  }
  all.join();
}

/// Producers add while the consumer takes: each call comes out once, those of a producer in order.
void pending(unsigned producers, unsigned each) {
  pending_calls<sim_platform, 2> queue;
  struct made {
    unsigned by;
    unsigned number;
  };
  std::vector<made> calls;
  for (unsigned p = 0; p < producers; ++p)
    for (unsigned n = 0; n < each; ++n) calls.push_back({p, n});
  threads all;
  for (unsigned p = 0; p < producers; ++p)
    all.add([&, p] {
      for (unsigned n = 0; n < each; ++n)
        while (!queue.push({[](void*) {}, &calls[p * each + n]})) sim_platform::relax();
    });
  std::vector<unsigned> next(producers, 0);
  for (unsigned count = 0; count < producers * each;) {
    pending_call call;
    if (!queue.pop(call)) {
      sim_platform::relax();
      continue;
    }
    const auto& it = *static_cast<const made*>(call.argument);
    check(it.number == next[it.by]++, "a call was lost, came twice or out of order");
    ++count;
    progress();
  }
  check(queue.empty(), "a call too many");
  all.join();
}

// A host ------------------------------------------------------------------------------------------

/// A runtime of which each run has a new one in the same place: what a run that failed has left behind
/// in the process is then its own.
template <class Lock>
class fresh {
public:
  template <class... Arguments>
  explicit fresh(Arguments&&... arguments) {
    new (place()) runtime<Lock>(std::forward<Arguments>(arguments)...);
  }
  fresh(const fresh&) = delete;
  fresh& operator=(const fresh&) = delete;
  ~fresh() { std::destroy_at(&get()); }
  runtime<Lock>& get() noexcept { return *static_cast<runtime<Lock>*>(place()); }

private:
  static void* place() noexcept {
    alignas(runtime<Lock>) static std::array<std::byte, sizeof(runtime<Lock>)> bytes;
    return bytes.data();
  }
};

/// A virtual machine that does not poll: it looks at nothing but a flag of its own thread's, which the
/// push function sets.
template <class Lock>
struct pushed_host {
  pushed_host()
      : owner(runtime_config{.push = &pushed_host::push,
                             .push_context = this,
                             .on_user_bits = &pushed_host::user_bits,
                             .user_context = this}) {}

  static void push(void* context) noexcept {
    auto& self = *static_cast<pushed_host*>(context);
    // Release, and a part of the release before it: pairs with instruction(), which so sees the breaker
    // as each of those has set it who have pushed.
    if (const auto* runs = self.kit().current())
      self.flags[runs->id() % max_tracked].exchange(true, std::memory_order_release);
  }
  static void user_bits(void* context, std::uint32_t) {
    auto& self = *static_cast<pushed_host*>(context);
    self.seen = self.seen + 1;
  }

  runtime<Lock>& kit() noexcept { return owner.get(); }

  /// By a thread that runs.
  void instruction() {
    auto& mine = flags[sim_platform::this_thread() % max_tracked];
    if (mine.load(std::memory_order_acquire)) {
      mine.store(false, std::memory_order_relaxed);  // before the checkpoint
      kit().checkpoint();
    }
    sim_platform::relax();
  }
  bool add_call(run_on where = run_on::any_thread) {
    return kit().add_pending_call({[](void* host) {
                                     auto& self = *static_cast<pushed_host*>(host);
                                     self.made = self.made + 1;
                                   },
                                   this},
                                  where);
  }

  fresh<Lock> owner;
  std::array<sim_platform::atomic<bool>, max_tracked> flags{};
  sim_platform::plain<int> made{0};
  sim_platform::plain<int> seen{0};
};

/// Whoever runs is pushed to what others want, though somebody else ran when they asked.
///
///   runner, runner   attach, run until all is done, detach
///   caller           adds a call for any thread
///   setter           sets a user bit
template <class Lock>
void push() {
  pushed_host<Lock> host;
  threads all;
  for (int i = 0; i < 2; ++i)
    all.add(
        [&] {
          const auto attached = host.kit().attach();
          while (host.made == 0 || host.seen == 0) {
            if (pick(2) == 1) const released<Lock> gone(host.kit());
            host.instruction();
          }
        },
        "runner");
  all.add([&] { check(host.add_call(), "no room"); }, "caller");
  all.add([&] { host.kit().reasons().set(reason::user(3)); }, "setter");
  all.join();
}

/// The main thread alone makes its calls, whoever takes the breaker's bit.
template <class Lock>
void push_to_main() {
  pushed_host<Lock> host;
  threads all;
  all.add(
      [&] {
        const auto attached = host.kit().attach();
        for (int i = 0; i < 3; ++i) host.instruction();
      },
      "other");
  all.add([&] { check(host.add_call(run_on::main_thread), "no room"); }, "caller");
  {
    const auto attached = host.kit().attach();
    while (host.made == 0) {
      if (pick(2) == 1) const released<Lock> gone(host.kit());
      host.instruction();
    }
  }
  all.join();
}

/// A call that fails does not keep those behind it, nor those of the other kind.
template <class Lock>
void failing_call() {
  pushed_host<Lock> host;
  threads all;
  all.add(
      [&] {
        check(host.add_call(pick(2) == 0 ? run_on::any_thread : run_on::main_thread), "no room");
      },
      "caller");
  {
    const auto attached = host.kit().attach();
    const auto fail = [](void*) { throw 7; };
    const auto where = pick(2) == 0 ? run_on::any_thread : run_on::main_thread;
    check(host.kit().add_pending_call({fail, nullptr}, where), "no room");
    for (int failed = 0; host.made == 0 || failed == 0;) try {
        host.instruction();
      } catch (int) {
        ++failed;
      }
  }
  all.join();
}

// Drop requests -----------------------------------------------------------------------------------

/// Threads that look at the breaker alone let each other in: no drop request is lost between it and the
/// lock.
template <class Lock, class... Arguments>
void drop_requests(int hogs, const Arguments&... arguments) {
  fresh<Lock> owner(runtime_config{}, arguments...);
  auto& kit = owner.get();
  sim_platform::plain<int> ran{0};
  threads all;
  for (int i = 0; i < hogs; ++i)
    all.add(
        [&] {
          const auto attached = kit.attach();
          ran = ran + 1;
          while (ran <= hogs) {
            kit.checkpoint();
            work(3us);
          }
        },
        "hog");
  all.add(
      [&] {
        const auto attached = kit.attach();
        ran = ran + 1;
        progress();
      },
      "guest");
  all.join();
}

// Waiting, and being woken ------------------------------------------------------------------------

/// A main thread that waits handles a signal, also if it is notified at the same time for nothing.
///
///   main    waits until the handler has run
///   sender  signal
///   other   comes to a checkpoint, notifies, comes to a checkpoint
template <class Lock>
void signals() {
  fresh<Lock> owner;
  auto& kit = owner.get();
  condition<Lock> anything(kit);
  bool handled = false;
  threads all;
  {
    const auto attached = kit.attach();
    kit.on_signal(SIGUSR1, [&](int) { handled = true; });
    all.add([&] { kit.signal_arrived(SIGUSR1); }, "sender");
    all.add(
        [&] {
          const auto mine = kit.attach();
          kit.checkpoint();
          anything.notify_all();
          kit.checkpoint();
        },
        "other");
    anything.wait([&] { return handled; });
  }
  all.join();
}

/// A call for the main thread is made, though that attaches and at once goes to sleep.
template <class Lock>
void main_attaches_late() {
  fresh<Lock> owner;
  auto& kit = owner.get();
  bool made = false;
  threads all;
  all.add([&] {
    check(kit.add_pending_call({[](void* flag) { *static_cast<bool*>(flag) = true; }, &made},
                               run_on::main_thread),
          "no room");
  });
  {
    const auto attached = kit.attach();
    while (!made) {
      sleeper here;
      {
        const released<Lock> gone(kit, &sleeper::unblock, &here);
        here.place.park();
      }
      kit.checkpoint();
    }
  }
  all.join();
}

/// An exception that is raised in a thread is thrown there, wherever it is.
template <class Lock>
void exceptions() {
  fresh<Lock> owner;
  auto& kit = owner.get();
  condition<Lock> ready(kit);
  condition<Lock> never(kit);
  id target = 0;
  int caught = 0;
  const auto where = pick(4);
  threads all;
  all.add(
      [&] {
        const auto attached = kit.attach();
        target = sim_platform::this_thread();
        ready.notify_all();
        try {
          for (;;) {
            sleeper here;
            if (where == 0) {
              never.wait([] { return false; });
            } else if (where == 1) {
              const released<Lock> gone(kit, &sleeper::unblock, &here);
              here.place.park();
            } else if (where == 2) {  // called back from such a call, which then goes on
              const released<Lock> gone(kit, &sleeper::unblock, &here);
              {
                const auto again = kit.attach();
                sleeper inner;
                const released<Lock> gone_again(kit, &sleeper::unblock, &inner);
              }
              here.place.park();
            } else {
              const released<Lock> gone(kit);
              sim_platform::relax();
            }
            kit.checkpoint();
          }
        } catch (int what) {
          caught = what;
        }
      },
      "target");
  all.add(
      [&] {
        const auto attached = kit.attach();
        ready.wait([&] { return target != 0; });
        check(kit.raise_in(target, std::make_exception_ptr(7)), "the target is not there");
      },
      "raiser");
  all.join();
  check(caught == 7, "not thrown");
}

/// Everybody stops, whoever finds the request.
template <class Lock>
void stop() {
  fresh<Lock> owner;
  auto& kit = owner.get();
  condition<Lock> never(kit);
  sim_platform::atomic<int> there{0};
  int stopped = 0;
  const auto run_until_stopped = [&](bool waits) {
    const auto attached = kit.attach();
    there.fetch_add(1, std::memory_order_relaxed);
    try {
      for (;;) {
        if (waits) never.wait([] { return false; });
        const released<Lock> gone(kit);
        sim_platform::relax();
        const auto again = kit.attach();
        kit.checkpoint();
      }
    } catch (const stop_requested&) {
      ++stopped;
    }
  };
  threads all;
  all.add([&] { run_until_stopped(true); });
  all.add([&, waits = pick(2) == 0] { run_until_stopped(waits); });
  all.add([&] {
    while (there.load(std::memory_order_relaxed) < 3) sim_platform::relax();
    kit.request_stop();
  });
  run_until_stopped(true);
  all.join();
  check(stopped == 3, "not all were stopped");
}

/// What is put in is taken out: no notification is lost, also to a thread that is interrupted or gives
/// up in the same moment.
///
///   main, consumer   take one thing each
///   producers        put one in each, and notify one
///   caller           interrupts the main thread
template <class Lock>
void notifications() {
  fresh<Lock> owner;
  auto& kit = owner.get();
  condition<Lock> filled(kit);
  int things = 0;
  int made = 0;
  const auto take_one = [&](bool timed_wait) {
    const auto attached = kit.attach();
    if (!timed_wait)
      filled.wait([&] { return things != 0; });
    else
      while (!filled.wait_until(clock::now() + 10us, [&] { return things != 0; })) progress();
    --things;
  };
  threads all;
  all.add([&, timed_wait = pick(2) == 1] { take_one(timed_wait); }, "consumer");
  for (int i = 0; i < 2; ++i)
    all.add(
        [&] {
          const auto attached = kit.attach();
          if (pick(2) == 1) {
            const released<Lock> gone(kit);
            work(10us);
          }
          ++things;
          filled.notify_one();
        },
        "producer");
  all.add([&] {
    check(kit.add_pending_call({[](void* count) { ++*static_cast<int*>(count); }, &made},
                               run_on::main_thread),
          "no room");
  });
  take_one(false);
  all.join();
  check(things == 0, "something is left, and everybody is served");
  {
    const auto attached = kit.attach();
    kit.checkpoint();
  }
  check(made == 1, "a call was lost or made twice");
}

// Slow calls --------------------------------------------------------------------------------------

/// Exclusion around slow calls, short ones and long ones, of which others steal the lock.
template <class Lock>
void slow_calls(unsigned count) {
  fresh<Lock> owner;
  auto& kit = owner.get();
  section inside;
  const auto run = [&] {
    inside.enter();
    inside.look();
    check(kit.is_running(), "a thread that runs does not know it");
    inside.leave();
  };
  threads all;
  for (unsigned i = 0; i < count; ++i)
    all.add([&] {
      const auto attached = kit.attach();
      run();
      for (int n = 0; n < 2; ++n) {
        released_if_slow(kit, [&] {
          const auto what = pick(4);
          if (what == 1) work(50us);
          if (what == 2) step();
          if (what == 3) {  // called back
            const auto again = kit.attach();
            run();
            released_if_slow(kit, [&] { work(pick(2) * 50us); });
            run();
          }
        });
        run();
      }
    });
  all.join();
}

/// A thread that yields to one that then begins a slow call gets the lock back during it.
template <class Lock>
void yields_to_slow_call() {
  fresh<Lock> owner;
  auto& kit = owner.get();
  sim_platform::semaphore over{0};
  threads all;
  all.add(
      [&] {
        const auto attached = kit.attach();
        kit.yield();
        over.release();
      },
      "yielder");
  all.add(
      [&] {
        const auto attached = kit.attach();
        released_if_slow(kit, [&] { over.acquire(); });
      },
      "slow");
  all.join();
}

// The end -----------------------------------------------------------------------------------------

/// The runtime ends while threads are everywhere: nobody but the finaliser runs any more, its calls are
/// made, and all leave.
template <class Lock>
void finalisation(unsigned count) {
  std::optional<fresh<Lock>> owner;
  owner.emplace(runtime_config{.when_finalized = finalized_threads::throw_error});
  auto& kit = owner->get();
  std::optional<condition<Lock>> never;
  never.emplace(kit);
  sim_platform::plain<bool> over{false};
  unsigned turned_away = 0;
  const auto go_on = [&] {
    for (;;) {
      check(!over, "a thread ran after the end");
      kit.checkpoint();
      const released<Lock> gone(kit);
      work(1us);
    }
  };
  const auto somewhere = [&] {
    const auto attached = kit.attach();
    switch (pick(6)) {
      case 0:
        never->wait([] { return false; });
        break;
      case 1: {
        sleeper here;
        const released<Lock> gone(kit, &sleeper::unblock, &here);
        static_cast<void>(here.place.park_until(clock::now() + 20us));
        break;
      }
      case 2: {
        const released<Lock> gone(kit);
        work(20us);
        const auto again = kit.attach();  // called back
        check(!over, "a thread ran after the end");
        break;
      }
      case 3:
        released_if_slow(kit, [] { work(20us); });
        break;
      case 4: {
        const auto slowly = [](void* given) {
          const released<Lock> gone(*static_cast<runtime<Lock>*>(given));
          work(20us);
        };
        check(kit.add_pending_call({slowly, &kit}), "no room");
        break;
      }
      default:
        break;
    }
    go_on();
  };
  threads all;
  for (unsigned i = 0; i < count; ++i)
    all.add([&] {
      try {
        somewhere();
      } catch (const runtime_finalized&) {
        ++turned_away;
      }
    });
  int made = 0;
  {
    const auto attached = kit.attach();
    {
      const released<Lock> gone(kit);
      work(pick(2) * 10us);
    }
    kit.finalize();
    over = true;
    never->notify_all();
    {
      const released<Lock> gone(kit);
      all.join();
    }
    check(kit.threads() == 1, "a thread is left");
    check(kit.add_pending_call({[](void* n) { ++*static_cast<int*>(n); }, &made}), "no room");
    kit.checkpoint();
  }
  check(turned_away == count, "a thread left as if nothing were");
  check(made == 1, "the finaliser's call was not made");
  never.reset();
  owner.reset();
}

// -------------------------------------------------------------------------------------------------

using list = std::vector<bounds>;

template <class Lock>
void add(scenarios& all, const std::string& name, machine where = {}) {
  where.steps_without_progress = 20'000;
  const auto put = [&](const char* what, void (*body)(), const list& small, std::uint64_t random) {
    all.push_back({"runtime/" + name + "/" + what, body, where, small, random});
  };
  put("push", push<Lock>, {{0, 0, 0}, {1, 1, 0}}, 4'000);
  put("push-to-main", push_to_main<Lock>, {{0, 0, 0}, {1, 1, 0}}, 4'000);
  put("failing-call", failing_call<Lock>, {{0, 0, 0}, {1, 1, 0}}, 2'000);
  put("signals", signals<Lock>, {{0, 0, 0}, {1, 1, 0}}, 4'000);
  put("main-attaches-late", main_attaches_late<Lock>, {{0, 0, 0}, {1, 1, 0}, {2, 2, 0}}, 2'000);
  put("exceptions", exceptions<Lock>, {{0, 0, 0}, {1, 0, 0}}, 6'000);
  put("stop", stop<Lock>, {}, 4'000);
  put("notifications", notifications<Lock>, {}, 4'000);
  put(
      "finalisation-of-two", [] { finalisation<Lock>(1); }, {{0, 0, 0}, {1, 0, 0}}, 2'000);
  put(
      "finalisation-of-three", [] { finalisation<Lock>(2); }, {}, 6'000);
}

template <class Lock>
void add_slow(scenarios& all, const std::string& name) {
  const auto named = [&](const char* what) { return "runtime/" + name + "/" + what; };
  all.push_back({named("slow-calls-of-two"), [] { slow_calls<Lock>(2); }, {}, {{0, 0, 0}}, 8'000});
  all.push_back({named("slow-calls-of-three"), [] { slow_calls<Lock>(3); }, {}, {}, 8'000});
  all.push_back({named("yields-to-slow-call"),
                 yields_to_slow_call<Lock>,
                 {},
                 {{0, 0, 0}, {1, 1, 0}, {2, 0, 0}},
                 2'000});
}

}  // namespace

void add_runtime_scenarios(scenarios& all) {
  all.push_back(
      {"runtime/interruption", interrupts, {}, {{0, 0, 0}, {1, 1, 0}, {2, 1, 0}}, 20'000});
  all.push_back({"runtime/pending-calls",
                 [] { pending(2, 2); },
                 {},
                 {{0, 0, 0}, {1, 1, 0}, {2, 1, 0}},
                 20'000});
  all.push_back({"runtime/pending-calls-of-three", [] { pending(3, 3); }, {}, {}, 10'000});
  add<sem>(all, "sem");
  add<pthread>(all, "pthread");
  add<tick>(all, "tick");
  add<timed>(all, "timed");
  add<fmq>(all, "fmq", {.cpus = 4});
  add_slow<sem>(all, "sem");
  add_slow<pthread>(all, "pthread");
  all.push_back({"runtime/timed/drop-requests",
                 [] { drop_requests<timed>(1, 10us); },
                 {},
                 {{0, 0, 0}},
                 6'000});
  all.push_back({"runtime/fmq/drop-requests",
                 [] { drop_requests<fmq>(2); },
                 {.cpus = 4},
                 {{0, 0, 0}},
                 6'000});
}

}  // namespace conch::sim
