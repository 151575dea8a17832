// SPDX-License-Identifier: MIT
// What the machine itself takes for the steps that every lock is made of: the limits that no lock
// can beat, and the costs of the simulator's model of large machines.
#include "yardsticks.hpp"

#include "work.hpp"

#include <conch/platform/posix.hpp>

#include <benchmark/benchmark.h>

#include <sched.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>

namespace conch::bench {

namespace {

using platform = posix_platform;
using seconds = std::chrono::duration<double>;

void compare_and_swap(benchmark::State& state) {
  std::atomic<std::uint32_t> word{0};
  for (auto _ : state) {
    std::uint32_t seen = 0;
    word.compare_exchange_strong(seen, 0, std::memory_order_acquire, std::memory_order_relaxed);
    benchmark::ClobberMemory();
  }
}

void clock_read(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(platform::now());
}

void relax(benchmark::State& state) {
  for (auto _ : state) platform::relax();
}

#if defined(__linux__)
/// One that does next to nothing.
void system_call(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(::syscall(SYS_getppid));
}
#endif

#if defined(__linux__)
/// The CPUs that the calling thread may use: a choice for as long as this lives.
class affinity {
public:
  affinity() { ::sched_getaffinity(0, sizeof before_, &before_); }
  affinity(const affinity&) = delete;
  affinity& operator=(const affinity&) = delete;
  ~affinity() { ::sched_setaffinity(0, sizeof before_, &before_); }

  /// The nth of the usable CPUs alone, modulo their number.
  void only(int nth) const {
    nth %= CPU_COUNT(&before_);
    for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
      if (!CPU_ISSET(cpu, &before_) || nth-- != 0) continue;
      ::cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(cpu, &one);
      ::sched_setaffinity(0, sizeof one, &one);
      return;
    }
  }

private:
  ::cpu_set_t before_{};
};
#else
class affinity {
public:
  void only(int) const {}
};
#endif

/// Two threads that pass something to and fro, each on a CPU of its own or both on one: half of the
/// time for there and back.
template <class Turn>
void to_and_fro(benchmark::State& state, bool on_one_cpu = false) {
  Turn turn;
  const affinity cpus;
  std::thread other([&] {
    cpus.only(on_one_cpu ? 0 : 1);
    turn.other();
  });
  cpus.only(0);
  for (auto _ : state) {
    const auto begin = platform::now();
    turn.there_and_back();
    state.SetIterationTime(seconds(platform::now() - begin).count() / 2);
  }
  turn.end();
  other.join();
}

/// A line of the cache between two threads that spin.
struct line_turn {
  void there_and_back() {
    line.store(1, std::memory_order_release);
    while (line.load(std::memory_order_acquire) != 0) platform::relax();
  }
  void other() {
    for (int seen = 0; seen != 2;) {
      seen = line.load(std::memory_order_acquire);
      if (seen == 1) line.store(0, std::memory_order_release);
    }
  }
  void end() { line.store(2, std::memory_order_release); }

  std::atomic<int> line{0};
};

void cache_line(benchmark::State& state) { to_and_fro<line_turn>(state); }

/// Two threads that sleep until the other wakes them, and compute before they wake it.
template <unsigned Milliseconds>
struct parked_turn {
  void there_and_back() {
    benchmark::DoNotOptimize(compute(share, 1));
    theirs.unpark().wake();
    mine.park();
  }
  void other() {
    for (;;) {
      theirs.park();
      if (stop.load(std::memory_order_relaxed)) return;  // ordered by the token
      benchmark::DoNotOptimize(compute(share, 1));
      mine.unpark().wake();
    }
  }
  void end() {
    stop.store(true, std::memory_order_relaxed);
    theirs.unpark().wake();
  }

  const work share = machine_speed().work_of(std::chrono::milliseconds(Milliseconds));
  platform::parker mine;
  platform::parker theirs;
  std::atomic<bool> stop{false};
};

/// From the wake of a sleeping thread until it runs, on a CPU that has fallen asleep.
void wake_to_run(benchmark::State& state) { to_and_fro<parked_turn<0>>(state); }

/// The same where both share a CPU: a wake, a wait, and a switch from one to the other.
void switch_on_one_cpu(benchmark::State& state) { to_and_fro<parked_turn<0>>(state, true); }

/// The work of one turn of two threads, as long as the quantum: the wake of the next one is in it, and
/// so is how fast a CPU is that has just been asleep.
void turn_on_two_cpus(benchmark::State& state) { to_and_fro<parked_turn<5>>(state); }
void turn_on_one_cpu(benchmark::State& state) { to_and_fro<parked_turn<5>>(state, true); }

/// The same work by a thread that never sleeps.
void turn_alone(benchmark::State& state) {
  const auto share = machine_speed().work_of(std::chrono::milliseconds(5));
  for (auto _ : state) benchmark::DoNotOptimize(compute(share, 1));
}

/// What the wake of a sleeping thread costs the one that wakes it.
void wake_call(benchmark::State& state) {
  platform::parker sleeper;
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> rounds{0};
  std::thread other([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      rounds.fetch_add(1, std::memory_order_relaxed);
      sleeper.park();
    }
  });
  std::uint64_t seen = 0;
  for (auto _ : state) {
    // The sleeper is about to park; how long it takes to fall asleep cannot be seen, only waited for.
    while (rounds.load(std::memory_order_relaxed) == seen) platform::relax();
    seen = rounds.load(std::memory_order_relaxed);
    const auto asleep = platform::now() + std::chrono::microseconds(30);
    while (platform::now() < asleep) platform::relax();
    const auto waker = sleeper.unpark();
    const auto begin = platform::now();
    waker.wake();
    state.SetIterationTime(seconds(platform::now() - begin).count());
  }
  stop.store(true, std::memory_order_relaxed);
  sleeper.unpark().wake();
  other.join();
}

}  // namespace

void add_yardsticks() {
  const auto add = [](const char* name, benchmark::internal::Function* function) {
    return benchmark::RegisterBenchmark(name, function);
  };
  add("machine/compare-and-swap", compare_and_swap);
  add("machine/clock-read", clock_read);
  add("machine/relax", relax);
#if defined(__linux__)
  add("machine/system-call", system_call);
  add("machine/switch-on-one-cpu", switch_on_one_cpu)->UseManualTime();
  add("machine/turn-on-one-cpu", turn_on_one_cpu)->UseManualTime();
  add("machine/turn-on-two-cpus", turn_on_two_cpus)->UseManualTime();
#endif
  add("machine/turn-alone", turn_alone);
  add("machine/cache-line", cache_line)->UseManualTime();
  add("machine/wake-call", wake_call)->UseManualTime();
  add("machine/wake-to-run", wake_to_run)->UseManualTime();
}

}  // namespace conch::bench
