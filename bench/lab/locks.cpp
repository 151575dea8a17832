// SPDX-License-Identifier: MIT
#include "locks.hpp"

#include "yardsticks.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

namespace conch::lab {

namespace {

using counter = vain_wakeup_counter;

template <class Lock>
lock_entry entry(const char* name = Lock::traits.name) {
  return {name, []() -> std::unique_ptr<contest> { return std::make_unique<contest_for<Lock>>(); }};
}

}  // namespace

const std::vector<lock_entry>& all_locks() {
  static const std::vector<lock_entry> locks{
      entry<std_mutex>(),
      entry<basic_pthread_lock<posix_platform, counter>>(),
      entry<sem_lock>(),  // its vain wake-ups happen inside sem_wait(), which tells nobody
      entry<basic_tick_gil<sem_lock, counter>>(),
      entry<basic_tick_gil<pthread_lock, counter>>("tick_gil-pthread"),
      entry<basic_timed_gil<posix_platform, counter>>(),
      entry<basic_fmq_lock<posix_platform, counter>>(),
  };
  return locks;
}

const lock_entry& without_lock() {
  static const auto none = entry<no_lock>();
  return none;
}

std::optional<lock_entry> with_counted_wakes(const lock_entry& lock) {
  const auto counted = entry<basic_fmq_lock<wake_counting_platform>>();
  return lock.name == counted.name ? std::optional(counted) : std::nullopt;
}

}  // namespace conch::lab
