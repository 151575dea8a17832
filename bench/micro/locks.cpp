// SPDX-License-Identifier: MIT
#include "locks.hpp"

#include "peers.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <mutex>
#include <type_traits>

namespace conch::bench {

namespace {

/// Lock and unlock, by the only thread that uses the lock.
template <class Lock>
void uncontended(benchmark::State& state) {
  guarded<Lock> shared;
  for (auto _ : state) {
    shared.lock.lock();
    benchmark::ClobberMemory();
    shared.lock.unlock();
  }
}

/// A checkpoint with nobody waiting.
template <class Lock>
void idle_checkpoint(benchmark::State& state) {
  guarded<Lock> shared;
  shared.lock.lock();
  for (auto _ : state) {
    let_others_in(shared.lock);
    benchmark::ClobberMemory();
  }
  shared.lock.unlock();
}

/// Whether there is a checkpoint to measure: not where it does nothing, and of the locks without
/// one only std::mutex's, to compare with.
template <class Lock>
constexpr bool has_checkpoint() {
  if constexpr (with_checkpoint<Lock>)
    return Lock::traits.checkpoint_switches;
  else
    return std::is_same_v<Lock, std::mutex>;
}

template <class Lock>
measured_lock measured(const char* name) {
  if constexpr (std::is_base_of_v<missing_lock, Lock>) {
    return {.name = name, .missing = Lock::reason};
  } else {
    measured_lock lock{.name = name,
                       .missing = {},
                       .uncontended = uncontended<Lock>,
                       .throughput = measure_throughput<Lock>,
                       .waits = measure_waits<Lock>,
                       .handoffs = measure_handoffs<Lock>,
                       .passing = measure_passing<Lock>,
                       .visits = measure_visits<Lock>};
    if constexpr (has_checkpoint<Lock>()) lock.checkpoint = idle_checkpoint<Lock>;
    return lock;
  }
}

}  // namespace

const std::vector<measured_lock>& all_locks() {
  static const std::vector<measured_lock> locks{
      measured<std::mutex>("std::mutex"),
      measured<pthread_mutex>("pthread_mutex_t"),
      measured<absl_mutex>("absl::Mutex"),
      measured<nsync_mutex>("nsync_mu"),
      measured<parking_lot_mutex>("parking_lot::Mutex"),
      measured<parking_lot_fair_mutex>("parking_lot::FairMutex"),
      measured<tbb_queuing_mutex>("tbb::queuing_mutex"),
      measured<pthread_lock>("pthread_lock"),
      measured<sem_lock>("sem_lock"),
      measured<tick_gil>("tick_gil"),
      measured<timed_gil>("timed_gil"),
      measured<fmq_lock>("fmq_lock"),
  };
  return locks;
}

}  // namespace conch::bench
