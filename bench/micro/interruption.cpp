// SPDX-License-Identifier: MIT
#include "interruption.hpp"

#include <csignal>
#include <ctime>

namespace conch::bench {

namespace {

volatile std::sig_atomic_t interruptions = 0;

}  // namespace

void watch_for_interruption() {
  struct ::sigaction action {};
  action.sa_handler = [](int) { interruptions = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
}

bool interrupted() noexcept { return interruptions != 0; }

void wait_for(std::chrono::nanoseconds time) noexcept {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  ::timespec left{};
  left.tv_sec = whole.count();
  left.tv_nsec = (time - whole).count();
  while (!interrupted() && ::nanosleep(&left, &left) != 0) {
  }
}

}  // namespace conch::bench
