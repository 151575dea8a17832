// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"

#include <csignal>

namespace conch::lab {

/// The exit status that a shell reports for a program that Ctrl-C ended.
inline constexpr int interrupted_status = 130;

/// Ctrl-C and SIGTERM, which the main thread asks for where it sleeps anyway. No handler runs, and
/// no other thread's system call is ever cut short.
class interrupts {
public:
  /// Holds both signals back from the calling thread and all that it starts from now on. A signal
  /// that was ignored stays so.
  interrupts();
  interrupts(const interrupts&) = delete;
  interrupts& operator=(const interrupts&) = delete;
  /// Lets the signals act again, unless there has been one: the program then ends with a report, which
  /// another one must not cut short.
  ~interrupts();

  /// Sleeps until `deadline` or an interrupt. True if there has been one, now or before.
  bool wait_until(clock::time_point deadline) noexcept;

  /// Whether there has been one.
  bool pending() noexcept { return wait_until(clock::time_point::min()); }

private:
  ::sigset_t awaited_{};
  ::sigset_t mask_before_{};
  bool interrupted_ = false;
};

}  // namespace conch::lab
