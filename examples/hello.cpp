// SPDX-License-Identifier: MIT
// The smallest program that uses a lock: two threads count under one fmq_lock.

#include <conch/fmq_lock.hpp>

#include <cstdio>
#include <mutex>
#include <thread>

conch::fmq_lock big_lock;
int steps = 0;

void run() {
  const std::scoped_lock turn(big_lock);
  for (int i = 0; i < 1'000'000; ++i) {
    ++steps;
    big_lock.checkpoint();  // here another thread may come in
  }
}

int main() {
  std::thread other(run);
  run();
  other.join();
  std::printf("%d steps\n", steps);
  return steps == 2'000'000 ? 0 : 1;
}
