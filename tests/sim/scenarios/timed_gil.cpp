// SPDX-License-Identifier: MIT
#include "scenarios.hpp"

#include <conch/stats.hpp>
#include <conch/timed_gil.hpp>

#include <array>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

using gil = basic_timed_gil<sim_platform, event_counter>;
constexpr auto interval = 10us;

auto make() { return std::make_unique<guarded<gil>>(interval); }

/// Holds the lock for `time`, with a checkpoint each `gap`, at which a request counts.
void be_a_hog(guarded<gil>& shared, duration time, duration gap) {
  shared.lock.lock();
  shared.enter();
  for (const auto end = clock::now() + time; clock::now() < end;) {
    work(gap);
    shared.inside.look();
    shared.checkpoint();
  }
  shared.unlock();
}

/// Alone beside a hog, a waiter asks after one interval, and the hog's next checkpoint lets it in.
void five_milliseconds() {
  const duration gap = 1us + 1us * pick(3);
  guarded<gil> shared(interval);
  threads all;
  all.add([&] { be_a_hog(shared, 60us, gap); }, "hog");
  all.add(
      [&] {
        work(2us);
        const auto start = clock::now();
        shared.lock.lock();
        shared.enter();
        const auto waited = clock::now() - start;
        check(waited >= interval || clock::now() == start, "let in before anybody could ask");
        check(waited <= interval + gap, "not let in at the first checkpoint after the interval");
        shared.unlock();
      },
      "waiter");
  all.join();
}

/// With switching forced, the hog that lets go does not get the lock back before the waiter had it.
void forced_switching() {
  guarded<gil> shared(interval);
  threads all;
  bool asked = false;
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        for (int i = 0; i < 4; ++i) {
          work(4us);
          const auto before = shared.lock.observer()[lock_event::forced_switch];
          const bool switched = shared.checkpoint();
          const bool dropped = shared.lock.observer()[lock_event::forced_switch] != before;
          check(switched == dropped, "a forced switch without a switch");
          asked = asked || dropped;
        }
        shared.unlock();
      },
      "hog");
  all.add([&] { work(1us), shared.hold(1us); }, "waiter");
  all.join();
}

/// A waiter asks, and gives up before the next checkpoint: nobody is left who wants the lock, so
/// the checkpoint lets go of nothing, and unlock returns.
///
///   hog     |------------------------------|checkpoint
///   waiter  |---interval---|asks-----|gives up
void request_withdrawn() {
  guarded<gil> shared(interval);
  threads all;
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        work(20us);
        check(!shared.lock.request().standing(), "a request outlived its requester");
        check(!shared.checkpoint(), "a switch that nobody wanted");
        shared.unlock();
      },
      "hog");
  all.add(
      [&] {
        work(1us);
        if (shared.try_for(15us, {})) shared.unlock();
      },
      "waiter");
  all.join();
}

/// Two waiters ask and one gives up: the other's request stands.
///
///   hog     |---------------------20|checkpoint---------------60|
///   timed    |--asks--16|gives up
///   plain    |--asks----------------|in
void one_of_two_withdraws() {
  guarded<gil> shared(interval);
  threads all;
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        work(20us);
        shared.inside.look();
        shared.checkpoint();
        work(40us);
        shared.unlock();
      },
      "hog");
  all.add(
      [&] {
        work(1us);
        if (shared.try_for(15us, {})) shared.unlock();
      },
      "timed");
  all.add(
      [&] {
        work(1us);
        const auto start = clock::now();
        shared.lock.lock();
        shared.enter();
        check(clock::now() - start <= 2 * interval, "its request was withdrawn by another waiter");
        shared.unlock();
      },
      "plain");
  all.join();
}

/// The last user destroys the lock while the one before, which was asked, is on its way out of the
/// forced switch.
void last_user_after_a_switch() {
  auto owner = make();
  using guarded_lock = decltype(owner)::element_type;
  guarded_lock* const shared = owner.release();
  threads all;
  all.add(
      [&] {
        shared->lock.lock();
        shared->enter();
        work(15us);
        shared->unlock();
      },
      "first");
  all.add(
      [&] {
        work(1us);
        shared->hold();
        shared->~guarded_lock();
      },
      "last");
  all.join();
  ::operator delete(shared);
}

/// The hog lets go, asked or not, at the very moment at which the waiter gives up.
void leaving_at_the_drop() {
  guarded<gil> shared(interval);
  threads all;
  const bool by_unlock = pick(2) != 0;
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        work(15us);
        if (!by_unlock) shared.checkpoint();
        shared.unlock();
      },
      "hog");
  all.add(
      [&] {
        if (shared.try_for(15us, {})) shared.unlock();
      },
      "timed");
  if (pick(2) != 0)
    all.add(
        [&] {
          if (shared.try_for(15us, {})) shared.unlock();
        },
        "timed too");
  all.join();
}

/// Two threads do nothing but yield to each other: whoever yields while the other is in its own
/// yield, and so waits, must let it in.
void yielders() {
  guarded<gil> shared(interval);
  threads all;
  std::array<bool, 2> yields{};
  for (std::size_t i = 0; i < 2; ++i)
    all.add(
        [&, i] {
          shared.lock.lock();
          shared.enter();
          for (int round = 0; round < 2; ++round) {
            work(1us);  // by now the other sleeps, if it is in its yield
            const bool other_waits = yields[1 - i];
            yields[i] = true;
            const bool switched = shared.yield();
            yields[i] = false;
            check(switched || !other_waits, "a yield did not let another yielder in");
          }
          shared.unlock();
        },
        "yielder");
  all.join();
}

/// A waiter that has seen a switch starts a new interval: it does not ask one who has only come.
///
///   first   |-------hold 6------|
///   second      lock------------|--------hold, until asked--------|
///   third           lock (3)-------------+---- asks 10 after the switch at the earliest
void new_holder_new_interval() {
  guarded<gil> shared(interval);
  threads all;
  const bool by_checkpoint = pick(2) != 0;
  const auto be_first = [&] {
    shared.lock.lock();
    shared.enter();
    work(12us);
    if (by_checkpoint) shared.checkpoint();
    shared.unlock();
  };
  all.add(be_first, "first");
  for (int i = 0; i < 2; ++i)
    all.add(
        [&, i] {
          work(i * 1us + 3us);
          shared.lock.lock();
          shared.enter();
          const auto start = clock::now();
          for (int n = 0; n < 12; ++n) {
            work(1us);
            const auto held = clock::now() - start;
            const auto before = shared.lock.observer()[lock_event::forced_switch];
            shared.checkpoint();
            if (shared.lock.observer()[lock_event::forced_switch] == before) continue;
            check(held >= interval / 2, "asked by one who had just seen a switch");
            break;
          }
          shared.unlock();
        },
        "waiter");
  all.join();
}

/// Beside one hog, a thread that lets go around each of its calls waits one interval or two for
/// each, less the call.
void convoy() {
  const duration gap = 1us;
  constexpr int requests = 5;
  guarded<gil> shared(interval);
  threads all;
  bool done = false;
  all.add(
      [&] {
        shared.lock.lock();
        shared.enter();
        while (!done) {
          work(gap);
          shared.checkpoint();
        }
        shared.unlock();
      },
      "hog");
  all.add(
      [&] {
        work(1us);
        const auto start = clock::now();
        for (int i = 0; i < requests; ++i) {
          shared.hold();
          work(1us);  // the call
        }
        const auto each = (clock::now() - start) / requests;
        done = true;
        check(each <= 2 * interval + 2 * gap, "more than two intervals for a request");
        check(each >= interval / 2, "less than the interval for a request: no convoy");
      },
      "echo");
  all.join();
}

}  // namespace

void add_timed_gil_scenarios(scenarios& all) {
  add_common(all, "timed_gil", make, {}, interval, {}, {{0, 0, 0}, {1, 1, 1}}, 20'000);
  const std::vector<bounds> small{{0, 0, 0}, {1, 1, 0}, {2, 0, 0}};
  machine calm;
  calm.weak_memory = false;
  all.push_back(
      {"timed_gil/five-milliseconds", five_milliseconds, calm, {{0, 0, 0}, {1, 0, 0}}, 5'000});
  all.push_back({"timed_gil/forced-switching", forced_switching, {}, small, 10'000});
  all.push_back({"timed_gil/request-withdrawn", request_withdrawn, {}, small, 10'000});
  all.push_back({"timed_gil/one-of-two", one_of_two_withdraws, {}, {{0, 0, 0}, {1, 0, 0}}, 20'000});
  all.push_back({"timed_gil/leaving-at-the-drop", leaving_at_the_drop, {}, small, 20'000});
  all.push_back({"timed_gil/last-user-asked", last_user_after_a_switch, {}, small, 20'000});
  all.push_back({"timed_gil/yielders", yielders, {}, small, 20'000});
  all.push_back(
      {"timed_gil/new-holder", new_holder_new_interval, calm, {{0, 0, 0}, {1, 0, 0}}, 10'000});
  all.push_back({"timed_gil/convoy", convoy, calm, {{0, 0, 0}}, 2'000});
}

}  // namespace conch::sim
