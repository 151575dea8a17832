// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>

#include <chrono>
#include <cstddef>
#include <thread>

namespace conch::testing {

/// Keeps a CPU busy for that long.
inline void work_for(std::chrono::nanoseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < until) conch::posix_platform::relax();
}

/// Returns when the condition holds, and lets other threads run until then. What never comes true is
/// caught by the time limit of the test.
template <class Condition>
void await(Condition holds) {
  for (int looks = 0; !holds(); ++looks)
    if (looks < 200)
      conch::posix_platform::relax();
    else
      std::this_thread::yield();  // on a busy machine, for a whole time slice of somebody else's
}

/// Returns when that many threads wait for the lock.
template <class Lock>
void await_waiters(const Lock& lock, std::size_t count) {
  await([&] { return lock.waiters() >= count; });
}

/// Takes the lock and lets go of it on a thread of its own. False if a try says that it is taken.
template <class Lock>
bool another_thread_can_take(Lock& lock) {
  bool taken = false;
  std::thread([&] {
    taken = lock.try_lock();
    if (taken) lock.unlock();
  }).join();
  return taken;
}

}  // namespace conch::testing
