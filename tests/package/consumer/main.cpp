// SPDX-License-Identifier: MIT
#include <conch/conch.hpp>

#include <cstdio>
#include <mutex>  // scoped_lock
#include <thread>

namespace {

// Two threads add to one plain counter; only the lock keeps them from losing an addition.
template <class Lock>
bool counts_right(const char* name) {
  constexpr int rounds = 1'000;
  Lock l;
  int counter = 0;
  const auto add = [&] {
    for (int i = 0; i < rounds; ++i) {
      std::scoped_lock guard{l};
      counter = counter + 1;
    }
  };
  std::thread other{add};
  add();
  other.join();
  std::printf("%s: %d of %d\n", name, counter, 2 * rounds);
  return counter == 2 * rounds;
}

}  // namespace

int main() {
  const bool all_right =
      counts_right<conch::pthread_lock>("pthread_lock") &&
      counts_right<conch::sem_lock>("sem_lock") && counts_right<conch::tick_gil>("tick_gil") &&
      counts_right<conch::timed_gil>("timed_gil") && counts_right<conch::fmq_lock>("fmq_lock");
  if (!all_right) return 1;
#if defined(__clang__)
  std::puts("five locks count right, built by clang++ " __clang_version__);
#else
  std::puts("five locks count right, built by g++ " __VERSION__);
#endif
  return 0;
}
