// SPDX-License-Identifier: MIT

// Uses each lock without contention between two marks that show in a trace of system calls.

#include "../../support/locks.hpp"

#include <unistd.h>

#include <cstdio>
#include <tuple>

namespace {

/// A system call that nothing else makes, with a number for the beginning and one for the end.
void mark(bool begins) { (void)::getpgid(begins ? 4'000'001 : 4'000'000); }

template <class Lock>
void use() {
  static Lock lock;
  // What the first use may do, binding of library functions above all, comes before the mark.
  for (int round = 0; round < 2; ++round) {
    if (round == 1) mark(true);
    for (int i = 0; i < 1'000; ++i) {
      lock.lock();
      lock.checkpoint();
      lock.yield();
      lock.unlock();
      if (lock.try_lock()) lock.unlock();
      if (lock.try_lock_for(std::chrono::seconds(1))) lock.unlock();
    }
    if (round == 1) mark(false);
  }
}

template <class... Locks>
void use_all(std::tuple<Locks...>*) {
  (use<Locks>(), ...);
}

}  // namespace

int main() { use_all(static_cast<conch::testing::all_locks*>(nullptr)); }
