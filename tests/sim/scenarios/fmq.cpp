// SPDX-License-Identifier: MIT
#include "scenarios.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/stats.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

using fmq_lock = basic_fmq_lock<sim_platform, event_counter>;
using shared_lock = guarded<fmq_lock>;

constexpr duration relaxed_for = 100ns;
constexpr duration looks = 10us;  // at a taken lock, before a thread queues, at the most

/// Times of the order of a scenario's: everything that depends on time happens in it.
constexpr fmq_config small_times{.quantum = 10us,
                                 .credit = 8us,
                                 .credit_slack = 1us,
                                 .boost_age = 40us,
                                 .boost_slice = 2us,
                                 .seal_after = 3us,
                                 .seal_tries = 2,
                                 .spin = 300ns};

auto make() { return std::make_unique<shared_lock>(small_times); }

constexpr machine one_cpu{.relax = relaxed_for};
constexpr machine two_cpus{.cpus = 2, .relax = relaxed_for};

constexpr machine with_faults(machine where) {
  where.spurious = where.signals = true;
  where.timer_lateness = 2us;
  where.wake_latency = 3us;
  return where;
}

/// At each of a lock's events, whether it tells the caller rightly that it has it: as a signal handler on
/// that thread would ask it. A thread that lends it may have it back already, and one that asks for it may have
/// been lent it: then they can use what the lock guards.
struct ownership_watch {
  std::function<bool()> held_by_caller;
  std::function<void()> use;

  void on_event(lock_event event) noexcept {
    bool& holds = holds_[sim_platform::this_thread()];
    const bool is_lent = event == lock_event::lent;
    const bool may_have = is_lent || event == lock_event::drop_requested;
    const bool leaves = event == lock_event::released || event == lock_event::forced_switch;
    if (event == lock_event::acquired) holds = true;
    const bool is_told_so = held_by_caller();
    if (may_have && is_told_so) use();
    check(may_have || is_told_so == holds, "the lock is wrong about who holds it");
    if (is_lent || leaves) holds = false;
  }

private:
  std::map<sim_platform::thread_id, bool> holds_;
};

struct watched_lock : guarded<basic_fmq_lock<sim_platform, ownership_watch>> {
  explicit watched_lock(const fmq_config& config) : guarded(config) {
    lock.observer().held_by_caller = [this] { return lock.held_by_caller(); };
    lock.observer().use = [this] {
      inside.enter();
      inside.leave();
    };
  }
};

constexpr duration late = 30us;  // what a timed acquire may take beyond its deadline, at the most

/// A waiter that can only be ended by an interrupt, which comes at any moment, also just before the
/// sleep; and it ends then, not at some alarm.
void interrupted() {
  auto config = small_times;
  config.quantum = 200us;  // so that no alarm ends the wait
  shared_lock shared(config);
  constexpr duration at_once = 4us + looks;  // a late wake and a spin, after looks in vain
  time_point killed{};
  shared.lock.lock();
  const auto waiter = spawn(
      [&] {
        auto& handle = fmq_lock::interrupt_handle();
        const auto kill = [&] {
          killed = clock::now();
          fmq_lock::interrupt(handle);
        };
        const auto killer = spawn(kill, "interrupter");
        const auto end = shared.lock.lock_interruptible_until(time_point::max());
        check(end == acquire_result::interrupted, "acquired a lock that was held");
        check(clock::now() <= killed + at_once, "a wait went on after its interrupt");
        join(killer);
      },
      "waiter");
  join(waiter);
  check(shared.lock.waiters() == 0, "a waiter that was interrupted still counts");
  shared.lock.unlock();
}

/// An interrupt, a deadline and a release race; each outcome must be whole.
void interrupted_or_served() {
  shared_lock shared(small_times);
  threads all;
  all.add([&] { shared.hold(5us); }, "holder");
  fmq::thread_records<sim_platform>* handle = nullptr;
  unsigned interrupter = 0;
  const auto waiter = spawn(
      [&] {
        handle = &fmq_lock::interrupt_handle();
        work(1us);
        const auto end = shared.lock.lock_interruptible_until(clock::now() + 4us);
        if (end == acquire_result::acquired) {
          shared.enter();
          shared.unlock();
        }
        join(interrupter);  // which may still use the handle
      },
      "waiter");
  interrupter = spawn(
      [&] {
        work(5us);
        if (handle != nullptr) fmq_lock::interrupt(*handle);
      },
      "interrupter");
  all.add([&] { work(2us), shared.hold(); }, "other");
  all.join();
  join(waiter);
}

/// A thread that does not wait now is interrupted: its next interruptible wait ends, and no other.
void interrupted_early() {
  shared_lock shared(small_times);
  threads all;
  all.add([&] {
    fmq_lock::interrupt(fmq_lock::interrupt_handle());
    shared.hold(1us);
    // Where the lock is free, the interrupt ends the next wait; but that must be the last.
    if (shared.lock.lock_interruptible_until(time_point::max()) != acquire_result::acquired)
      check(shared.lock.lock_interruptible_until(time_point::max()) == acquire_result::acquired,
            "one interrupt ended two waits");
    shared.enter();
    work(5us);
    shared.unlock();
  });
  all.add([&] { shared.hold(2us); });
  all.join();
}

/// The heir gives up while a grant, a release or another waiter's leaving is under way.
void leaving_heir() {
  shared_lock shared(small_times);
  threads all;
  all.add(
      [&] {
        shared.hold(5us);
        shared.hold(2us);
      },
      "holder");
  for (int i = 0; i < 2; ++i)
    all.add(
        [&] {
          work(1us);
          if (shared.try_for(4us, late)) shared.unlock();
        },
        "timed");
  all.add([&] { work(2us), shared.hold(); }, "plain");
  all.join();
}

/// The only waiter gives up while the holder is inside its contended unlock; then, as the last user,
/// it comes and goes by the fast path and destroys the lock, in which the other may still be.
void last_user_after_giving_up() {
  auto owner = make();
  auto* const shared = owner.release();
  int users = 2;
  const auto use = [&] {
    shared->lock.lock();
    shared->enter();
    const bool last = --users == 0;
    shared->unlock();
    if (last) shared->~guarded();
  };
  threads all;
  shared->lock.lock();
  all.add(
      [&] {
        if (shared->try_for(5us, late)) shared->unlock();
        use();
      },
      "timed");
  work(5us);
  --users;
  shared->lock.unlock();
  all.join();
  ::operator delete(shared);
}

/// A hog that only its checkpoints stop, beside waiters of which one may give up: the rest must be
/// let in while the hog goes on.
///
///   hog     |--c--c--c--c--c--c--c--c--…        lets go only when asked
///   plain     lock----------|in                 ends the hog's work
///   timed     lock------|gives up
void timer_duty() {
  shared_lock shared(small_times);
  threads all;
  int served = 0;
  const unsigned plain_ones = 1 + pick(2);
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        const auto patience = clock::now() + 400us;
        while (served < static_cast<int>(plain_ones)) {
          work(3us);
          shared.inside.look();
          shared.checkpoint();
          check(clock::now() < patience, "starvation: nobody asks the holder to move on");
        }
        shared.unlock();
      },
      "hog");
  for (unsigned i = 0; i < plain_ones; ++i)
    all.add(
        [&] {
          work(1us);
          shared.hold(1us);
          ++served;
        },
        "plain");
  all.add(
      [&] {
        work(1us);
        const duration patience = 2us + 5us * pick(4);
        if (shared.try_for(patience, late)) shared.unlock();
      },
      "timed");
  all.join();
}

/// Hogs lend the lock to a guest again and again: for as long as they like to wait, or for longer; one
/// of them is kept from running for a while, and one comes and goes, gives up and looks.
///
///   hog     |--c--c~~~~~~~~c--c--c~~…             ~ the lock is lent
///   guest         lock|-in-|        lock|-in-|
///   other             lock------|--c--c~~…
void visits() {
  auto config = small_times;
  config.spin = 2us;
  watched_lock shared(config);
  shared.all_enter = true;
  conch::breaker<sim_platform> breaker;
  shared.lock.request().mirror_in(breaker, 1);
  constexpr duration stall = 30us;
  threads all;
  int users = 2;
  const auto compute = [&](duration gap) {
    work(gap);
    shared.inside.look();
    shared.checkpoint();
  };
  for (unsigned hogs = 1 + pick(2); hogs > 0; --hogs)
    all.add(
        [&] {
          const auto patience = clock::now() + 600us;
          shared.lock.lock();
          shared.enter();
          while (users > 0) {
            if (pick(16) == 0) stall_somewhere(stall);
            compute(500ns * (1 + pick(5)));
            check(clock::now() < patience, "starvation: the hog is not asked to let others in");
          }
          shared.unlock();
        },
        "hog");
  all.add(
      [&] {
        for (int i = 0; i < 5; ++i) {
          work(15us);
          if (pick(4) == 0) stall_somewhere(stall, 120);
          shared.lock.lock();
          shared.enter();
          shared.spend(1us * pick(4));
          if (pick(4) == 0) shared.checkpoint();
          if (pick(4) == 0) shared.yield();
          shared.unlock();
        }
        --users;
      },
      "guest");
  all.add(
      [&] {
        work(25us);
        for (int i = 0; i < 4; ++i) {
          work(5us);
          if (shared.try_for(5us * pick(3), late + 4 * stall)) {
            for (unsigned n = pick(8); n > 0; --n) compute(500ns);
            shared.unlock();
          }
          static_cast<void>(shared.lock.describe());
        }
        --users;
      },
      "other");
  all.join();
  check(shared.lock.waiters() == 0, "a guest still counts as a waiter");
  check(breaker.any() || !shared.lock.request().standing(),
        "the request's mirror does not show it");
  shared.lock.lock();
  shared.lock.request().raise();
  const auto start = clock::now();
  check(!shared.lock.checkpoint(), "a checkpoint said that somebody had the lock");
  check(clock::now() == start, "a holder waited for a guest that was not there");
  shared.lock.unlock();
}

/// A hog's whole life: it takes one step after the other, and lets go when all is done.
template <class Shared, class Step>
void hold_until(const bool& done, Shared& shared, Step step) {
  shared.lock.lock();
  shared.enter();
  while (!done) step();
  shared.unlock();
}

/// With each step it does a piece of work and has a checkpoint, at which it may lend the lock to whoever
/// has come.
template <class Shared, class Piece>
void compute_until(const bool& done, Shared& shared, Piece piece) {
  hold_until(done, shared, [&] {
    work(piece());
    shared.checkpoint();
  });
}

template <class Shared>
void compute_until(const bool& done, Shared& shared) {
  compute_until(done, shared, [] { return duration(500ns); });
}

/// Once a hog is known, it lends the lock to a guest each time that one comes: what a visit leaves
/// behind does not stand in the way of the next. The hog is a program that looks at its breaker alone.
void visit_after_visit() {
  auto config = small_times;
  config.spin = 2us;
  shared_lock shared(config);
  conch::breaker<sim_platform> breaker;
  shared.lock.request().mirror_in(breaker, 1);
  constexpr int times = 8;
  bool done = false;
  threads all;
  all.add(
      [&] {
        hold_until(done, shared, [&] {
          work(500ns);
          if (breaker.any() && breaker.take(1) != 0) shared.checkpoint();
        });
      },
      "hog");
  all.add(
      [&] {
        for (int i = 0; i < times; ++i) {
          work(15us);
          shared.hold();
        }
        done = true;
      },
      "guest");
  all.join();
  // The first comes to stay known, the second to make the hog known.
  const auto& seen = shared.lock.observer();
  check(seen[lock_event::lent] >= times - 2, "a visit was not lent the lock");
  check(seen[lock_event::wait_started] <= 3 + 1, "a guest that came again queued");
}

/// Two guests come again and again, and one is kept from running for a while: neither takes the other one's
/// invitation for its own. Each is a hog at times too, and lends the lock itself.
///
///   hog     |--c~~~c--c~~~c--c~~~…             ~ the lock is lent
///   guest       |-|       |-|
///   guest             |-|
void two_guests() {
  auto config = small_times;
  config.spin = 2us;
  watched_lock shared(config);
  shared.all_enter = true;
  int users = 2;
  const auto compute = [&] {
    work(500ns);
    shared.inside.look();
    shared.checkpoint();
  };
  threads all;
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        while (users > 0) compute();
        shared.unlock();
      },
      "hog");
  for (int i = 0; i < 2; ++i)
    all.add(
        [&] {
          for (int visit = 0; visit < 8; ++visit) {
            work(1us * (1 + pick(8)));
            if (pick(2) == 0) stall_somewhere(40us, 60);
            shared.lock.lock();
            shared.enter();
            shared.spend(1us * pick(3));
            if (pick(4) == 0)
              for (int units = 0; units < 20; ++units) compute();
            shared.unlock();
          }
          --users;
        },
        "guest");
  all.join();
  check(shared.lock.waiters() == 0, "a guest still counts as a waiter");
}

/// A waiter with credit that sleeps is woken by a holder that has lent the lock before, and is lent it when
/// it is awake: the holder need not sleep for it. From a holder whose checkpoints have become too rare
/// for one that spins, it gets the lock soon after it was woken once.
///
///   hog     |--c----------c--c~~~~c--c       ~ the lock is lent
///   guest        lock·········unlock
void visit_of_a_sleeper() {
  auto config = small_times;
  config.quantum = 200us;  // so that the sleeper's alarm does not wake it
  config.spin = 2us;
  const auto long_work = config.spin + 2 * looks;
  shared_lock shared(config);
  constexpr int times = 8;
  constexpr int sleeps = 4;  // those before make the two known, and the hog one that lends
  bool done = false;
  bool is_slow = false;
  bool expected = false;
  threads all;
  const auto piece = [&] { return std::exchange(expected, false) || is_slow ? long_work : 500ns; };
  all.add([&] { compute_until(done, shared, piece); }, "hog");
  all.add(
      [&] {
        time_point start{};
        for (int i = 0; i <= times; ++i) {
          work(15us);
          is_slow = i == times;
          expected = i >= times - sleeps;
          while (expected) work(100ns);
          start = clock::now();
          shared.hold();
        }
        check(clock::now() - start < 4 * long_work,
              "a sleeper was called in vain, again and again");
        done = true;
      },
      "guest");
  all.join();
  const auto& seen = shared.lock.observer();
  check(seen[lock_event::called] >= sleeps - 1, "a sleeper was not called");
  check(seen[lock_event::lent] >= times - 3, "a sleeper was not lent the lock when it came");
}

/// A holder whose checkpoints are further apart than a waiter spins cannot lend the lock: it wakes a
/// waiter for nothing but to give it the lock.
///
///   hog     |--c-----------c-----------c|           |--c---…
///   guest            lock·*··········   |-unlock               · looks, * spins
void sleeper_beside_a_slow_hog() {
  auto config = small_times;
  config.quantum = 200us;  // so that the sleeper's alarm does not wake it
  config.spin = 2us;
  shared_lock shared(config);
  bool done = false;
  bool expected = false;
  threads all;
  const auto piece = [&] {
    expected = false;
    return config.spin + 4 * looks;
  };
  all.add([&] { compute_until(done, shared, piece); }, "hog");
  all.add(
      [&] {
        for (int i = 0; i < 8; ++i) {
          work(15us);
          expected = true;  // and so it no longer spins when the hog comes to a checkpoint
          while (expected) work(100ns);
          shared.hold();
        }
        done = true;
      },
      "guest");
  all.join();
  check(shared.lock.observer()[lock_event::called] == 0, "a slow holder called a sleeper");
}

/// A sleeper that has grown old meanwhile is given the lock for its slice of it, by whoever had lent it
/// the lock before.
void sleeper_that_grew_old() {
  auto config = small_times;
  config.spin = 2us;
  const auto long_work = 4 * config.boost_age;
  shared_lock shared(config);
  const auto& seen = shared.lock.observer();
  bool done = false;
  bool expected = false;
  threads all;
  const auto piece = [&] { return std::exchange(expected, false) ? long_work : 500ns; };
  all.add([&] { compute_until(done, shared, piece); }, "hog");
  all.add(
      [&] {
        for (int i = 0; i < 8; ++i) {
          for (const auto lent = seen[lock_event::lent]; seen[lock_event::lent] == lent;) {
            work(15us);
            shared.hold();
          }
          expected = true;
          while (expected) work(100ns);
          const auto called = seen[lock_event::called];
          shared.hold();
          check(seen[lock_event::called] == called, "one that had grown old was called");
        }
        done = true;
      },
      "guest");
  all.join();
}

/// A guest has noticed that it was lent the lock, and sleeps for another one when its visit is settled.
///
///   hog     |--c~~~~~~|waits                      ~ the lock is lent
///   guest     lock|-other.lock·········|-unlock
///   users       |-in other-|-in other-|
void visitor_of_two_locks() {
  auto config = small_times;
  config.spin = 2us;
  watched_lock shared(config);
  watched_lock other(config);
  shared.all_enter = true;
  bool done = false;
  threads all;
  all.add([&] { compute_until(done, shared); }, "hog");
  all.add(
      [&] {
        for (int i = 0; i < 4; ++i) {
          work(15us);
          shared.lock.lock();
          shared.enter();
          other.hold();
          shared.unlock();
        }
        done = true;
      },
      "guest");
  for (int i = 0; i < 2; ++i)
    all.add(
        [&] {
          while (!done) {
            other.hold(8us);
            work(1us * pick(4));
          }
        },
        "user");
  all.join();
}

/// A guest's last visit; its host sees that it is done, lets go and destroys the lock, in which the
/// guest may still be.
void last_user_after_a_visit() {
  auto config = small_times;
  config.spin = 2us;
  auto* const shared = std::make_unique<shared_lock>(config).release();
  bool done = false;
  threads all;
  all.add(
      [&] {
        compute_until(done, *shared);
        shared->~guarded();
      },
      "hog");
  all.add(
      [&] {
        for (int visit = 1; visit <= 4; ++visit) {
          work(15us);
          shared->lock.lock();
          shared->enter();
          done = visit == 4;
          shared->unlock();
        }
      },
      "guest");
  all.join();
  ::operator delete (shared, std::align_val_t{alignof(shared_lock)});
}

/// Two hogs that never unlock take turns by their checkpoints alone.
void two_hogs() {
  shared_lock shared(small_times);
  threads all;
  int running = 2;
  std::array<duration, 2> held{};
  for (std::size_t i = 0; i < 2; ++i)
    all.add(
        [&, i] {
          shared.lock.lock();
          shared.enter();
          while (held[i] < 60us) {
            work(3us);
            held[i] += 3us;
            if (running == 2)
              check(held[i] - held[1 - i] <= 45us, "one hog got far more than the other");
            shared.checkpoint();
          }
          --running;
          shared.unlock();
        },
        "hog");
  all.join();
}

/// A yield passes the lock on whenever somebody waits, and the yielder gets it back.
void yielders() {
  shared_lock shared(small_times);
  threads all;
  for (int i = 0; i < 2; ++i)
    all.add(
        [&] {
          shared.lock.lock();
          shared.enter();
          const bool waited_for = shared.lock.waiters() != 0;
          const bool switched = shared.yield();
          check(switched || !waited_for, "a yield with a waiter did not switch");
          shared.unlock();
        },
        "yielder");
  all.add([&] { shared.hold(1us); }, "plain");
  all.join();
}

/// A releaser that always comes back at once, beside a waiter: it loses a few times, and then the
/// lock is handed over.
void barging() {
  auto config = small_times;
  config.quantum = 1ms;  // the releaser stays inside its share
  shared_lock shared(config);
  threads all;
  bool served = false;
  all.add(
      [&] {
        int rounds = 0;
        while (!served) {
          shared.hold(1us);
          check(++rounds < 60, "starvation: the lock is taken again and again ahead of a waiter");
        }
      },
      "barger");
  all.add(
      [&] {
        shared.hold(1us);
        served = true;
      },
      "waiter");
  all.join();
}

/// The heir of a lock that is soon free each time lacks a CPU: the others that sleep do not wait for it.
void sleeper_behind_a_late_heir() {
  shared_lock shared{fmq_config{}};
  constexpr unsigned sleepers = 2;  // one of them is the heir
  unsigned served = 0;
  threads all;
  all.add(
      [&] {
        shared.hold(100us);  // until they sleep
        const auto end = clock::now() + 2 * shared.lock.config().quantum;
        while (clock::now() < end) shared.hold(1us), work(1us);
        check(served > 0, "a thread slept beside a lock that was free again and again");
      },
      "holder");
  for (unsigned i = 0; i < sleepers; ++i)
    all.add([&] { work(10us), shared.hold(), ++served; }, "sleeper");
  all.join();
}

/// More locks than a thread's table has places for, on threads that end: their records are freed.
void many_locks() {
  constexpr std::size_t count = 6;
  std::array<std::unique_ptr<shared_lock>, count> locks;
  for (auto& each : locks) each = make();
  threads all;
  for (int i = 0; i < 2; ++i)
    all.add([&] {
      for (auto& each : locks) each->hold(1us);
    });
  all.join();
}

/// A place in the thread's table serves one lock after the other.
void lock_after_lock() {
  threads all;
  for (int round = 0; round < 2; ++round) {
    const auto shared = make();
    for (int i = 0; i < 2; ++i)
      all.add([&] {
        shared->hold(pick(2) * 1us);
        shared->hold();
      });
    all.join();
  }
}

/// A thread that had to wait, now holds the lock as an heir or by a grant, lets go by the fast path
/// and ends, while others come; nothing may point to what was its.
void exit_after_unlock() {
  const auto shared = make();
  threads all;
  all.add([&] { shared->hold(3us); }, "holder");
  all.add([&] { work(1us), shared->hold(); }, "short-lived");
  all.add(
      [&] {
        work(2us);
        shared->hold(2us);
        shared->hold(20us);
      },
      "later");
  all.add([&] { work(4us), shared->hold(1us); }, "last");
  all.join();
}

void add_for(scenarios& all, const std::string& cpus, const machine& where) {
  const std::vector<bounds> one{{0, 0, 0}, {1, 1, 0}};
  const std::vector<bounds> two{{0, 0, 0}, {1, 1, 0}, {2, 0, 0}, {3, 0, 0}};
  const auto add = [&](const std::string& name, void (*body)(), const std::vector<bounds>& small,
                       std::uint64_t random) {
    all.push_back({"fmq_lock/" + name + cpus, body, where, small, random / 2});
    all.push_back({"fmq_lock/" + name + "-faults" + cpus, body, with_faults(where), {}, random});
  };
  add("interrupted", interrupted, two, 20'000);
  add("interrupted-or-served", interrupted_or_served, one, 40'000);
  add("interrupted-early", interrupted_early, one, 20'000);
  add("leaving-heir", leaving_heir, one, 60'000);
  add("last-user-after-giving-up", last_user_after_giving_up, {{0, 0, 0}, {2, 0, 0}, {3, 0, 0}},
      20'000);
  add("timer-duty", timer_duty, {}, 40'000);
  add("two-hogs", two_hogs, {{0, 0, 0}}, 10'000);
  add("yielders", yielders, one, 30'000);
  add("barging", barging, {{0, 0, 0}, {1, 0, 0}}, 20'000);
  add("many-locks", many_locks, {}, 5'000);
  add("lock-after-lock", lock_after_lock, {}, 20'000);
  add("exit-after-unlock", exit_after_unlock, one, 40'000);
}

}  // namespace

void add_fmq_scenarios(scenarios& all) {
  const std::vector<bounds> small{{0, 0, 0}, {1, 1, 1}, {2, 0, 0}, {3, 0, 0}};
  add_common(all, "fmq_lock", make, one_cpu, 10us, late, small, 40'000);
  add_common(all, "fmq_lock-2cpus", make, two_cpus, 10us, late, {{0, 0, 0}, {1, 0, 0}}, 30'000);
  add_common(all, "fmq_lock-late", make, with_faults(two_cpus), 10us, late, {}, 30'000);
  add_for(all, "", one_cpu);
  add_for(all, "-2cpus", two_cpus);
  all.push_back({"fmq_lock/visits", visits, two_cpus, {}, 20'000});  // nobody spins on one CPU
  all.push_back({"fmq_lock/visitor-of-two-locks", visitor_of_two_locks, two_cpus, {}, 2'000});
  all.push_back({"fmq_lock/visit-of-a-sleeper", visit_of_a_sleeper, two_cpus, {}, 1'000});
  all.push_back(
      {"fmq_lock/sleeper-beside-a-slow-hog", sleeper_beside_a_slow_hog, two_cpus, {}, 1'000});
  all.push_back({"fmq_lock/sleeper-that-grew-old", sleeper_that_grew_old, two_cpus, {}, 1'000});
  auto slow_wakes = two_cpus;
  slow_wakes.wake = 1s;
  all.push_back(
      {"fmq_lock/sleeper-behind-a-late-heir", sleeper_behind_a_late_heir, slow_wakes, {}, 100});
  all.push_back({"fmq_lock/visit-after-visit", visit_after_visit, two_cpus, {}, 1'000});
  all.push_back(
      {"fmq_lock/last-user-after-a-visit", last_user_after_a_visit, two_cpus, {}, 20'000});
  auto three_cpus = two_cpus;
  three_cpus.cpus = 3;
  all.push_back({"fmq_lock/two-guests", two_guests, three_cpus, {}, 20'000});
  all.push_back({"fmq_lock/visits-faults", visits, with_faults(two_cpus), {}, 40'000});
}

}  // namespace conch::sim
