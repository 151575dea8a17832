// SPDX-License-Identifier: MIT
#include "interrupts.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>

namespace conch::lab {

interrupts::interrupts() {
  ::sigemptyset(&awaited_);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct ::sigaction action {};
    ::sigaction(signal, nullptr, &action);
    if (action.sa_handler != SIG_IGN) ::sigaddset(&awaited_, signal);
  }
  ::pthread_sigmask(SIG_BLOCK, &awaited_, &mask_before_);
}

interrupts::~interrupts() {
  if (!interrupted_) ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

bool interrupts::wait_until(clock::time_point deadline) noexcept {
  while (!interrupted_) {
    const auto now = clock::now();
    const std::chrono::nanoseconds left = deadline > now ? deadline - now : clock::duration::zero();
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    ::timespec timeout{};
    timeout.tv_sec = static_cast<std::time_t>(whole.count());
    timeout.tv_nsec = static_cast<long>((left - whole).count());
    interrupted_ = ::sigtimedwait(&awaited_, nullptr, &timeout) > 0;
    if (!interrupted_ && errno == EAGAIN && clock::now() >= deadline) break;
  }
  return interrupted_;
}

}  // namespace conch::lab
