// SPDX-License-Identifier: MIT

// The locks in a program that is compiled without exceptions and without run-time type information:
// two threads count under each. Exits with 0 if they count right.

#include <conch/conch.hpp>

#include <mutex>
#include <thread>

namespace {

template <class Lock>
bool counts() {
  constexpr int rounds = 20'000;
  Lock lock;
  int count = 0;
  const auto run = [&] {
    for (int i = 0; i < rounds; ++i) {
      const std::scoped_lock turn(lock);
      ++count;
      lock.checkpoint();
    }
  };
  std::thread other(run);
  run();
  other.join();
  return count == 2 * rounds;
}

}  // namespace

int main() {
  const bool right = counts<conch::pthread_lock>() && counts<conch::sem_lock>() &&
                     counts<conch::tick_gil>() && counts<conch::timed_gil>() &&
                     counts<conch::fmq_lock>();
  return right ? 0 : 1;
}
