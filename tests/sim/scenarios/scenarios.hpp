// SPDX-License-Identifier: MIT
#pragma once

#include "engine/platform.hpp"
#include "engine/search.hpp"

#include <memory>
#include <string>
#include <vector>

#if defined(__clang__)
// Scenarios take a lock in one function and let go in another: more than the analysis can follow.
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

namespace conch::sim {

using scenarios = std::vector<scenario>;

void add_binary_scenarios(scenarios& all);  ///< pthread_lock, sem_lock
void add_tick_gil_scenarios(scenarios& all);
void add_timed_gil_scenarios(scenarios& all);
void add_fmq_scenarios(scenarios& all);      ///< small programs, every schedule
void add_fmq_law_scenarios(scenarios& all);  ///< the laws, over random configurations
void add_runtime_scenarios(scenarios& all);  ///< the runtime kit, over each lock

/// What a lock guards in a scenario.
class section {
public:
  void enter() {
    check(!inside_, "exclusion: two threads hold the lock");
    inside_ = true;
    entries_ = entries_ + 1;
    progress();
  }
  /// Still inside?
  void look() {
    check(inside_, "exclusion: another thread left the section");
    step();
    check(inside_, "exclusion: another thread left the section");
  }
  void leave() {
    check(inside_, "exclusion: another thread left the section");
    inside_ = false;
    entries_ = entries_ + 1;
  }
  /// How often a thread has come in or gone. Precondition: the caller holds the lock.
  int changes() const { return entries_; }

private:
  bool inside_ = false;
  sim_platform::plain<int> entries_{0};  // a race on it is a lock without its acquire or release
};

/// A lock, what it guards, and the checks that hold for each lock at any time.
template <class Lock>
struct guarded {
  template <class... Arguments>
  explicit guarded(Arguments&&... arguments) : lock(std::forward<Arguments>(arguments)...) {
    when_quiet([this, watched = watched_] {
      if (*watched && !lock.is_locked() && lock.waiters() != 0 && nobody_on_the_way())
        fail("lost wake-up: the lock is free, and a waiter sleeps with no wake on its way");
    });
  }
  guarded(const guarded&) = delete;
  guarded& operator=(const guarded&) = delete;
  ~guarded() { *watched_ = false; }

  void enter() { inside.enter(); }
  void unlock() {
    inside.leave();
    lock.unlock();
  }
  void hold(duration time = {}) {
    lock.lock();
    enter();
    spend(time);
    unlock();
  }
  void spend(duration time) {
    if (time > duration::zero()) work(time);
    inside.look();
  }
  bool checkpoint() {
    return let_others_in([this] { return lock.checkpoint(); });
  }
  bool yield() {
    return let_others_in([this] { return lock.yield(); });
  }
  /// A timed acquire; `late` is what may be added to its deadline.
  bool try_for(duration timeout, duration late) {
    const auto deadline = clock::now() + timeout;
    const bool got = lock.try_lock_for(timeout);
    if (got) {
      enter();
    } else {
      check(clock::now() >= deadline, "a timed acquire gave up before its deadline");
      check(clock::now() <= deadline + late, "a timed acquire gave up long after its deadline");
    }
    return got;
  }

  Lock lock;
  section inside;
  bool all_enter = false;  ///< whoever takes the lock enters the section too

private:
  template <class Step>
  bool let_others_in(Step step) {
    inside.leave();
    const auto before = inside.changes();
    const bool switched = step();
    const bool changed = inside.changes() != before;
    inside.enter();
    check(switched || !changed, "a checkpoint said that nobody had the lock, and somebody had");
    check(!switched || changed || !all_enter, "a checkpoint said that somebody had the lock");
    return switched;
  }

  std::shared_ptr<bool> watched_ = std::make_shared<bool>(true);
};

class threads {
public:
  threads() = default;
  threads(const threads&) = delete;
  threads& operator=(const threads&) = delete;
  template <class Body>
  void add(Body body, std::string name = {}) {
    all_.push_back(spawn(std::move(body), std::move(name)));
  }
  void join() {
    for (auto thread : all_) sim::join(thread);
    all_.clear();
  }

private:
  std::vector<unsigned> all_;
};

// Programs for any lock ---------------------------------------------------------------------------

/// One use of the lock, of all that there are. `unit` is a time in the order of the lock's own.
template <class Lock>
void use_somehow(guarded<Lock>& shared, duration unit, duration late) {
  switch (pick(6)) {
    case 0:
      shared.hold();
      break;
    case 1:
      if (shared.lock.try_lock()) {
        shared.enter();
        shared.spend({});
        shared.unlock();
      }
      break;
    case 2:
      if (shared.try_for(unit, late)) shared.unlock();
      break;
    case 3:
      shared.lock.lock();
      shared.enter();
      shared.spend(unit);
      shared.checkpoint();
      shared.unlock();
      break;
    case 4:
      shared.lock.lock();
      shared.enter();
      shared.yield();
      shared.unlock();
      break;
    default:
      if (shared.lock.try_lock_until(clock::now() - duration(1))) {
        shared.enter();
        shared.unlock();
      }
  }
}

template <class Make>
void mixed(Make make, unsigned count, unsigned rounds, duration unit, duration late) {
  const auto shared = make();
  threads all;
  for (unsigned i = 0; i < count; ++i)
    all.add([&] {
      for (unsigned round = 0; round < rounds; ++round) use_somehow(*shared, unit, late);
    });
  all.join();
  check(shared->lock.try_lock(), "try_lock failed on a free lock");
  check(shared->lock.waiters() == 0, "waiters are counted where there are none");
  shared->lock.unlock();
}

/// A holder lets go just as a timed waiter's deadline comes, and a third one waits without.
///
///   holder  |----hold----|unlock
///   timed   lock_for-----|  gives up, or gets it
///   plain      lock------|--------- must get it
template <class Make>
void giving_up(Make make, duration unit, duration late) {
  const auto shared = make();
  threads all;
  all.add([&] { shared->hold(unit); }, "holder");
  all.add(
      [&] {
        if (shared->try_for(unit, late + unit)) shared->unlock();
      },
      "timed");
  all.add([&] { shared->hold(); }, "plain");
  all.join();
}

/// The last user destroys the lock right after its unlock, while the one before may still be on its
/// way out of its own.
template <class Make>
void last_user(Make make, unsigned count) {
  auto owner = make();
  using guarded_lock = typename decltype(owner)::element_type;
  guarded_lock* const shared = owner.release();
  int users = static_cast<int>(count);
  threads all;
  for (unsigned i = 0; i < count; ++i)
    all.add([&] {
      shared->lock.lock();
      shared->enter();
      const bool last = --users == 0;
      shared->unlock();
      if (last) shared->~guarded_lock();
    });
  all.join();
  ::operator delete(shared);  // kept until now, so that the simulator tells what touched it
}

/// One who holds the lock, or is about to, is kept from running for long.
template <class Make>
void stalled(Make make, unsigned count, duration unit) {
  const auto shared = make();
  threads all;
  all.add(
      [&] {
        stall_somewhere(20 * unit);
        shared->hold(unit);
        shared->hold();
      },
      "stalled");
  for (unsigned i = 1; i < count; ++i)
    all.add([&] {
      shared->hold(unit / 4);
      shared->hold();
    });
  all.join();
}

/// The programs above for one kind of lock. `small` says which bounds its exhaustive search gets.
template <class Make>
void add_common(scenarios& all, const std::string& name, Make make, const machine& where,
                duration unit, duration late, const std::vector<bounds>& small,
                std::uint64_t random) {
  auto faulty = where;
  faulty.spurious = faulty.signals = true;
  all.push_back({name + "/two", [=] { mixed(make, 2, 1, unit, late); }, where, small, random});
  all.push_back({name + "/three", [=] { mixed(make, 3, 2, unit, late); }, faulty, {}, random});
  all.push_back({name + "/four", [=] { mixed(make, 4, 3, unit, late); }, faulty, {}, random});
  all.push_back({name + "/giving-up", [=] { giving_up(make, unit, late); }, where, small, random});
  all.push_back({name + "/last-user", [=] { last_user(make, 2); }, where, small, random});
  all.push_back({name + "/last-of-three", [=] { last_user(make, 3); }, faulty, {}, random});
  all.push_back({name + "/stalled", [=] { stalled(make, 3, unit); }, where, {}, random});
}

}  // namespace conch::sim
