// SPDX-License-Identifier: MIT
#include "scenarios.hpp"

#include <conch/stats.hpp>
#include <conch/tick_gil.hpp>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

using sem = basic_sem_lock<sim_platform>;
using pthread = basic_pthread_lock<sim_platform>;

template <class Semaphore>
void add(scenarios& all, const std::string& name) {
  add_common(
      all, name, [] { return std::make_unique<guarded<basic_tick_gil<Semaphore>>>(1); }, {}, 10us,
      {}, {{0, 0, 0}, {1, 1, 1}, {2, 0, 0}, {3, 0, 0}}, 20'000);
}

/// Every check_interval + 1 ticks, and only then, the lock is let go of; a waiter that is woken may
/// find that the releaser has taken it again.
void period() {
  const auto interval = static_cast<int>(pick(4)) + 1;
  guarded<basic_tick_gil<sem, event_counter>> shared(interval);
  threads all;
  all.add([&] {
    shared.lock.lock();
    shared.enter();
    shared.checkpoint();  // the countdown starts at 0
    for (int periods = 0; periods < 3; ++periods)
      for (int tick = 0; tick <= interval; ++tick) {
        work(10us);  // whoever waits is asleep by then
        const auto before = shared.lock.observer()[lock_event::forced_switch];
        const bool waited_for = shared.lock.waiters() != 0;
        const bool switched = shared.checkpoint();
        const auto asked = shared.lock.observer()[lock_event::forced_switch] - before;
        check(asked == (tick == interval && waited_for ? 1U : 0U), "not at the period's end");
        check(!switched || asked != 0, "a switch without a release");
      }
    shared.unlock();
  });
  all.add([&] { shared.hold(5us); });
  all.join();
}

/// A release without a handoff: some schedule has the releaser take the lock back, and counts it as
/// a vain wake-up; none has the releaser wait for a waiter.
void no_handoff() {
  guarded<basic_tick_gil<sem, event_counter>> shared(1);
  threads all;
  all.add([&] {
    shared.lock.lock();
    shared.enter();
    work(1us);
    shared.spend({});
    const bool switched = shared.yield();
    const auto& seen = shared.lock.observer();
    check(seen[lock_event::handoff] == 0, "a handoff");
    check(seen[lock_event::vain_wakeup] + (switched ? 1U : 0U) == seen[lock_event::forced_switch],
          "a release with waiters ends in a switch or in a vain wake-up");
    shared.unlock();
  });
  all.add([&] { shared.hold(); });
  all.join();
}

}  // namespace

void add_tick_gil_scenarios(scenarios& all) {
  add<sem>(all, "tick_gil");
  add<pthread>(all, "tick_gil_pthread");
  all.push_back({"tick_gil/period", period, {}, {{0, 0, 0}, {1, 1, 0}}, 10'000});
  all.push_back({"tick_gil/no-handoff", no_handoff, {}, {{1, 0, 0}, {2, 0, 0}}, 10'000});
}

}  // namespace conch::sim
