// SPDX-License-Identifier: MIT
#include "scenarios.hpp"

#include <conch/fmq/wait_bound.hpp>
#include <conch/fmq_lock.hpp>
#include <conch/stats.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

using fmq_lock = basic_fmq_lock<sim_platform, event_counter>;
using shared_lock = guarded<fmq_lock>;

constexpr duration kind = 1us;  // what a relax() lasts: coarse, as nothing here turns on it
/// Sequentially consistent, so that there may be many threads; late wakes and timers.
constexpr machine busy{.weak_memory = false,
                       .cpus = 2,
                       .relax = kind,
                       .wake_latency = 60us,
                       .timer_lateness = 60us,
                       .steps_without_progress = 1'000'000};
constexpr machine prompt{
    .weak_memory = false, .cpus = 2, .relax = kind, .steps_without_progress = 1'000'000};
constexpr duration lateness = 60us;  // ω, of `busy`
// What spinning on a lock that does not come adds to a wait.
constexpr duration spinning = 20us + kind;

std::string in_us(duration time) { return std::to_string(time.count() / 1000) + " us"; }

duration some(duration least, duration most) {
  constexpr unsigned steps = 8;
  return least + (most - least) * pick(steps + 1) / steps;
}

fmq_config some_config() {
  fmq_config config;
  config.quantum = some(500us, 5ms);
  config.credit = some(0us, 4ms);
  config.credit_slack = std::min<duration>(some(0us, 250us), config.quantum);
  config.boost_age = some(1ms, 40ms);
  config.boost_slice = std::min<duration>(some(0us, 1ms), config.quantum);
  config.seal_after = some(0us, 1ms);
  config.seal_tries = 1 + pick(8);
  return config;
}

std::string words(const fmq_config& c) {
  return std::string("quantum ") + in_us(c.quantum) + ", credit " + in_us(c.credit) + ", slack " +
         in_us(c.credit_slack) + ", age " + in_us(c.boost_age) + ", slice " + in_us(c.boost_slice) +
         ", seal after " + in_us(c.seal_after) + " or " + std::to_string(c.seal_tries) + " tries";
}

/// Holds the lock until `end`, with checkpoints `gap` apart.
template <class Lock>
void be_a_hog(guarded<Lock>& shared, time_point end, duration gap, duration* held = nullptr) {
  shared.lock.lock();
  shared.enter();
  while (clock::now() < end) {
    work(gap);
    if (held != nullptr) *held += gap;
    shared.checkpoint();
  }
  shared.unlock();
}

/// Each wake is for a handoff, a release that found none on its way, or a call to a visit or an alarm that
/// a holder passes, each at a checkpoint at which it was asked.
void check_wakes(shared_lock& shared, std::uint64_t woken) {
  const auto& seen = shared.lock.observer();
  const auto alarms = seen[lock_event::alarm_passed];
  const auto calls = seen[lock_event::called];
  const auto most = seen[lock_event::handoff] + seen[lock_event::heir_named] + alarms + calls;
  if (woken > most)
    fail(std::string("law 8: ") + std::to_string(woken) + " wakes for " + std::to_string(most) +
         " occasions");
  if (alarms + calls > seen[lock_event::drop_requested])
    fail(std::string("law 8: ") + std::to_string(alarms + calls) + " alarms and calls for " +
         std::to_string(seen[lock_event::drop_requested]) + " requests");
}

// Law 3 -------------------------------------------------------------------------------------------

/// Beside 1, 8 or 32 hogs, a thread that uses the lock little waits for no interval: what it waits
/// for is the slack, the next checkpoint, and the latencies. It has credit when the lock's clock has
/// moved in its absence.
void interactive() {
  constexpr std::array counts{1U, 2U, 8U, 32U};
  const auto hogs = counts[pick(counts.size())];
  const auto gap = some(10us, 100us);
  shared_lock shared{fmq_config{}};
  const auto& config = shared.lock.config();
  // Each hog may run for two quanta before the lock's clock moves.
  const auto absence = 2 * (hogs + 1) * (config.quantum + gap) + config.credit_slack;
  const auto end = clock::now() + 4 * absence;
  threads all;
  for (unsigned i = 0; i < hogs; ++i) all.add([&] { be_a_hog(shared, end, gap); }, "hog");
  all.add(
      [&] {
        const auto latency = 2 * lateness + spinning;
        work(1ms);  // until the hogs are there: the first use makes the thread known
        shared.hold(10us);
        while (clock::now() < end) {
          work(absence);
          const auto start = clock::now();
          shared.hold(10us);
          const auto waited = clock::now() - 10us - start;
          if (waited > config.credit_slack + 2 * gap + 2 * latency)
            fail(std::string("law 3: a thread with credit waited for ") + in_us(waited) +
                 " beside " + std::to_string(hogs) + " hogs with checkpoints every " + in_us(gap));
        }
      },
      "interactive");
  all.join();
}

/// A guest pays for what it holds, and not for its wait until the host's next checkpoint: beside 15 hogs it
/// keeps its credit if it holds the lock for a fortieth of the time, and waits for a fifth.
///
///   hog          |------c------c------c…
///   interactive   ask***|i|  ask**|i|            * pays nobody
void frequent_guest() {
  constexpr unsigned hogs = 15;
  constexpr duration gap = 15us;  // less than a waiter spins for
  shared_lock shared{fmq_config{}};
  const auto& config = shared.lock.config();
  const auto absence = 2 * (hogs + 1) * (config.quantum + gap) + config.credit_slack;
  const auto end = clock::now() + absence + 100ms;
  threads all;
  for (unsigned i = 0; i < hogs; ++i) all.add([&] { be_a_hog(shared, end, gap); }, "hog");
  all.add(
      [&] {
        shared.hold(1us);
        work(absence);
        while (clock::now() < end) {
          work(some(20us, 40us));
          const auto start = clock::now();
          shared.hold(1us);
          const auto waited = clock::now() - 1us - start;
          if (waited > config.credit_slack + 2 * gap + 2 * spinning)
            fail(std::string("law 3: a thread that holds little and asks often waited for ") +
                 in_us(waited));
        }
      },
      "interactive");
  all.join();
}

// Law 4 -------------------------------------------------------------------------------------------

/// Hogs with checkpoints at different distances get equal time, over any window.
void equal_time(duration late) {
  const auto hogs = 2 + pick(5);
  const auto config = some_config();
  shared_lock shared(config);
  std::vector<duration> held(hogs);
  std::vector<duration> gaps(hogs);
  duration longest{};
  for (auto& gap : gaps) {
    gap = some(10us, 300us);
    longest = std::max(longest, gap);
  }
  const auto begin = clock::now() + 1ms;
  const auto end = begin + 100ms;
  shared.lock.lock();  // until all of them wait
  threads all;
  // For each pair the least and the most that one was ahead of the other: a window is a difference.
  std::vector<std::array<duration, 2>> extremes(std::size_t{hogs} * hogs);
  for (unsigned i = 0; i < hogs; ++i)
    all.add(
        [&, i] {
          shared.lock.lock();
          shared.enter();
          while (clock::now() < end) {
            work(gaps[i]);
            held[i] += gaps[i];
            for (unsigned j = 0; j < hogs; ++j) {
              auto& [least, most] = extremes[std::size_t{std::min(i, j)} * hogs + std::max(i, j)];
              const auto ahead = held[std::min(i, j)] - held[std::max(i, j)];
              least = std::min(least, ahead);
              most = std::max(most, ahead);
              if (most - least > 2 * (config.quantum + longest + late))
                fail(std::string("law 4: over a window one hog got ") + in_us(most - least) +
                     " more than another, of " + std::to_string(hogs) +
                     ", with checkpoints up to " + in_us(longest) + "; " + words(config));
            }
            if (shared.checkpoint() && traced()) {
              std::string line = "got it back; held";
              for (auto each : held) line += std::string(" ") + in_us(each);
              note(line);
            }
          }
          shared.unlock();
        },
        "hog");
  work(1ms);
  shared.lock.unlock();
  all.join();
}

/// Two hogs, one of them cut short again and again by a thread with credit: it keeps its account, and
/// both get the same.
void equal_time_beside_io() {
  shared_lock shared{fmq_config{}};
  const auto& config = shared.lock.config();
  constexpr duration gap = 50us;
  const auto period = some(2ms, 9ms);
  std::array<duration, 2> held{};
  bool second_is_in = false;
  const auto begin = clock::now() + 1ms;
  const auto end = begin + 300ms;
  threads all;
  for (std::size_t i = 0; i < 2; ++i)
    all.add(
        [&, i] {
          shared.lock.lock();
          shared.enter();
          while (clock::now() < end) {
            if (i == 0) second_is_in = false;
            work(gap);
            if (clock::now() > begin) held[i] += gap;
            second_is_in = i == 1;
            shared.checkpoint();
          }
          shared.unlock();
        },
        "hog");
  all.add(
      [&] {
        while (clock::now() < end) {
          work(period);
          // Always the second hog is the one that is cut short.
          while (!second_is_in && clock::now() < end) work(gap);
          shared.hold(20us);
        }
      },
      "interactive");
  all.join();
  const auto apart = held[0] > held[1] ? held[0] - held[1] : held[1] - held[0];
  if (apart > 2 * (config.quantum + gap + config.credit_slack + lateness) + config.credit)
    fail(std::string("law 4: hogs ") + in_us(apart) +
         " apart beside a thread that cuts one of them short every " + in_us(period));
}

// Law 5 -------------------------------------------------------------------------------------------

/// Threads of any kind: each wait ends within the bound.
void bounded_wait() {
  constexpr std::array counts{1U, 2U, 3U, 5U, 9U, 17U, 33U, 64U};
  const auto count = counts[pick(counts.size())];
  const auto config = some_config();
  shared_lock shared(config);
  const auto longest = some(10us, 500us);
  const auto end = clock::now() + 40ms + 2 * count * config.quantum;
  const auto begin = wakes();
  const auto use = [&] {
    const auto style = pick(4);
    const auto gap = some(10us, longest);
    work(some(0us, 20ms));
    while (clock::now() < end) {
      const auto start = clock::now();
      shared.lock.lock();
      shared.enter();
      const auto bound = fmq::wait_bound({count - 1, longest, lateness, config}) +
                         count * kind;  // a look too many
      const auto waited = clock::now() - start;
      if (waited > bound)
        fail(std::string("law 5: a wait of ") + in_us(waited) + ", and the bound was " +
             in_us(bound) + "; " + std::to_string(count) + " threads; checkpoints up to " +
             in_us(longest) + "; " + words(config));
      const auto stay = style == 0 ? 50 * gap : gap;  // a hog, or shorter sections
      for (const auto until = clock::now() + stay; clock::now() < until;) {
        work(gap);
        shared.checkpoint();
      }
      shared.unlock();
      if (style == 1) work(some(0us, 5ms));  // I/O
      if (style == 2) work(2us);             // a call that returns at once
    }
  };
  threads all;
  for (unsigned i = 1; i < count; ++i) all.add(use);
  use();
  all.join();
  check_wakes(shared, wakes() - begin);
}

/// A thread that held the lock for long without a checkpoint owes a lot; beside two hogs it waits for
/// no longer than the age at which a waiter goes first.
///
///   debtor  |----------hold 200 ms----------|lock-----40 ms------|in
///   hogs       lock-------------------------|c-c-c-c-c-c-c-c-c-c-|
void after_a_long_hold() {
  shared_lock shared{fmq_config{}};
  const auto& config = shared.lock.config();
  constexpr duration gap = 50us;
  constexpr int hogs = 2;
  threads all;
  bool done = false;
  all.add(
      [&] {
        shared.hold(200ms);
        const auto start = clock::now();
        shared.lock.lock();
        shared.enter();
        const auto waited = clock::now() - start;
        const auto bound =
            fmq::wait_bound({hogs, gap, lateness, config}) + hogs * kind + config.credit_slack;
        if (waited > bound) fail("law 5: a debtor waited for " + in_us(waited));
        shared.unlock();
        done = true;
      },
      "debtor");
  for (int i = 0; i < hogs; ++i)
    all.add(
        [&] {
          work(1ms);
          shared.lock.lock();
          shared.enter();
          while (!done) {
            work(gap);
            shared.checkpoint();
          }
          shared.unlock();
        },
        "hog");
  all.join();
}

// Law 6 -------------------------------------------------------------------------------------------

enum class trick { just_under, a_third, fresh_threads, fresh_regulars, lock_and_go, visits };

/// Hogs beside an adversary that lets go before its quantum ends, or uses fresh threads: it gets no
/// more than a fair share and its credit.
void gaming(trick how, unsigned hogs) {
  shared_lock shared{fmq_config{}};
  const auto& config = shared.lock.config();
  const duration gap = how == trick::visits ? 6us : 50us;  // a host waits for two of them, or none
  const auto begin = clock::now();
  const auto end = begin + 600ms;
  duration stolen{};
  duration honest{};
  threads all;
  for (unsigned i = 0; i < hogs; ++i) all.add([&] { be_a_hog(shared, end, gap, &honest); }, "hog");
  const auto hold = [&](duration time) {
    shared.lock.lock();
    shared.enter();
    if (clock::now() < end) {
      for (duration done{}; done < time; done += gap) {
        work(gap);
        stolen += gap;
        shared.checkpoint();
      }
    }
    shared.unlock();
  };
  all.add(
      [&] {
        while (clock::now() < end) {
          switch (how) {
            case trick::just_under:
              hold(config.quantum - 2 * gap);
              break;
            case trick::a_third:
              hold(1ms);
              work(2ms);
              break;
            case trick::fresh_threads: {
              const auto fresh = spawn([&] { hold(config.quantum - 2 * gap); }, "fresh");
              join(fresh);
              break;
            }
            case trick::fresh_regulars: {  // which are no newcomers when they hold it for long
              const auto fresh = spawn(
                  [&] {
                    hold(gap);
                    work(1us);
                    hold(config.quantum - 2 * gap);
                  },
                  "fresh");
              join(fresh);
              break;
            }
            case trick::lock_and_go:
              hold(500us);
              work(1us);
              break;
            case trick::visits:
              hold(2 * gap);
              work(1us);
              break;
          }
        }
      },
      "adversary");
  all.join();
  const auto fair = (end - begin) / (hogs + 1);
  const auto allowed = fair + config.credit + 2 * (config.quantum + gap);
  if (stolen > allowed)
    fail(std::string("law 6: the adversary got ") + in_us(stolen) + ", and a fair share is " +
         in_us(fair));
}

// Law 7 -------------------------------------------------------------------------------------------

/// A release around a call that returns before a woken thread can run costs no switch.
void no_convoy() {
  shared_lock shared{fmq_config{}};
  threads all;
  const auto end = clock::now() + 100ms;
  const auto& seen = shared.lock.observer();
  all.add([&] { be_a_hog(shared, end, 50us); }, "hog");
  all.add(
      [&] {
        while (clock::now() < end) {
          shared.lock.lock();
          shared.enter();
          work(150us);  // by now the hog sleeps, after its looks in vain
          shared.unlock();
          work(1us);  // the call
          const auto before = seen[lock_event::wait_started];
          const auto start = clock::now();
          shared.lock.lock();
          shared.enter();
          if (seen[lock_event::wait_started] != before)
            fail(std::string("law 7: a wait of ") + in_us(clock::now() - start) +
                 " after a call of 1 us");
          shared.unlock();
          work(11ms);
        }
      },
      "caller");
  all.join();
}

// Law 8 -------------------------------------------------------------------------------------------

/// While one woken waiter is on its way, releases wake nobody: a thread that takes and lets go all
/// the time wakes a waiter once for each time that one gets there.
void few_wakes() {
  shared_lock shared{fmq_config{}};
  const auto waiters = 1 + pick(3);
  std::uint64_t releases = 0;
  bool done = false;
  threads all;
  const auto begin = wakes();
  all.add(
      [&] {
        while (!done || releases < 500) {
          shared.hold(2us);
          check(wakes_on_their_way() <= 1, "law 8: two wakes are on their way");
          ++releases;
          check(releases < 100'000, "starvation");
        }
      },
      "barger");
  for (unsigned i = 0; i < waiters; ++i)
    all.add(
        [&, i] {
          work(20us);
          shared.hold(2us);
          if (i == 0) done = true;
        },
        "waiter");
  all.join();
  check_wakes(shared, wakes() - begin);
}

/// Counts how often threads go to sleep for a lock.
struct sleep_counting_platform : sim_platform {
  static inline unsigned sleeps = 0;

  struct parker : sim_platform::parker {
    void park() noexcept {
      ++sleeps;
      sim_platform::parker::park();
    }
    bool park_until(time_point deadline) noexcept {
      ++sleeps;
      return sim_platform::parker::park_until(deadline);
    }
  };
};

/// Threads that take turns by checkpoints sleep until their turns come, but for the one that watches the time.
void few_sleeps() {
  guarded<basic_fmq_lock<sleep_counting_platform, event_counter>> shared{fmq_config{}};
  constexpr unsigned hogs = 4;  // so few that looking seems promising still when they all wait
  const auto end = clock::now() + 40 * shared.lock.config().quantum;
  sleep_counting_platform::sleeps = 0;
  threads all;
  for (unsigned i = 0; i < hogs; ++i) all.add([&] { be_a_hog(shared, end, 50us); }, "hog");
  all.join();
  const auto turns = shared.lock.observer()[lock_event::forced_switch];
  // In each turn who has handed over, and who watches the time: until the alarm, and when it has asked.
  // Besides, all wait for a first time, and the last turns end with a release instead.
  const auto most = 3 * turns + 2 * hogs;
  if (sleep_counting_platform::sleeps > most)
    fail("law 8: " + std::to_string(sleep_counting_platform::sleeps) + " sleeps for " +
         std::to_string(turns) + " turns");
}

/// No contention: no clock, no guard, no wake; in all, a compare-and-swap and a store of the owner.
void uncontended() {
  shared_lock shared{fmq_config{}};
  shared.lock.lock();
  shared.lock.unlock();
  check(wakes() == 0, "law 8: an uncontended lock woke somebody");
}

// Law 9 -------------------------------------------------------------------------------------------

/// At most one thread spins, and none where there is one CPU.
void polite(unsigned cpus) {
  shared_lock shared{fmq_config{}};
  threads all;
  const auto end = clock::now() + 20ms;
  unsigned most = 0;
  for (int i = 0; i < 6; ++i)
    all.add([&] {
      while (clock::now() < end) {
        shared.lock.lock();
        shared.enter();
        for (unsigned n = pick(4); n > 0; --n) {
          work(kind);
          most = std::max(most, spinners());
          shared.checkpoint();
        }
        shared.unlock();
        work(pick(3) * 2us);
      }
    });
  all.join();
  check(most <= (cpus > 1 ? 1U : 0U), "law 9: too many threads spin");
}

}  // namespace

void add_fmq_law_scenarios(scenarios& all) {
  const auto law = [&](const std::string& name, std::function<void()> body, const machine& where,
                       std::uint64_t random) {
    all.push_back({"fmq_lock/" + name, std::move(body), where, {}, random});
  };
  auto one_cpu = busy;
  one_cpu.cpus = 1;
  law("law-3-interactive", interactive, busy, 200);
  law("law-3-frequent-guest", frequent_guest, prompt, 10);
  law(
      "law-4-equal-time", [] { equal_time(lateness); }, busy, 1'000);
  law(
      "law-4-equal-time-prompt", [] { equal_time({}); }, prompt, 500);
  law("law-4-beside-io", equal_time_beside_io, busy, 200);
  law("law-5-after-a-long-hold", after_a_long_hold, busy, 100);
  law("law-5-bounded-wait", bounded_wait, busy, 1'000);
  constexpr std::array tricks{
      std::pair{"just-under", trick::just_under}, std::pair{"a-third", trick::a_third},
      std::pair{"visits", trick::visits}, std::pair{"lock-and-go", trick::lock_and_go}};
  for (const auto& [name, how] : tricks) {
    law(
        std::string("law-6-") + name, [how = how] { gaming(how, 1); }, prompt, 20);
    law(
        std::string("law-6-") + name + "-of-4", [how = how] { gaming(how, 3); }, busy, 20);
  }
  for (const auto& [name, how] : {std::pair{"law-6-fresh-threads", trick::fresh_threads},
                                  std::pair{"law-6-fresh-regulars", trick::fresh_regulars}}) {
    law(
        name, [how = how] { gaming(how, 1); }, prompt, 20);
    law(
        std::string(name) + "-of-4-prompt", [how = how] { gaming(how, 3); }, prompt, 20);
    law(
        std::string(name) + "-of-4", [how = how] { gaming(how, 3); }, busy, 20);
  }
  auto slow_wakes = busy;
  slow_wakes.wake = 15us;
  law("law-7-no-convoy", no_convoy, slow_wakes, 50);
  law("law-8-few-wakes", few_wakes, slow_wakes, 300);
  law("law-8-few-sleeps", few_sleeps, prompt, 20);
  law("law-8-uncontended", uncontended, prompt, 1);
  law(
      "law-9-polite", [] { polite(2); }, busy, 100);
  law(
      "law-9-polite-one-cpu", [] { polite(1); }, one_cpu, 100);
}

}  // namespace conch::sim
