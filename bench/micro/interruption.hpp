// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::bench {

/// From now on the first Ctrl-C only sets interrupted(); a second one ends the program.
void watch_for_interruption();

[[nodiscard]] bool interrupted() noexcept;

/// Sleeps, but not on after a Ctrl-C. To be called by the main thread, which gets the signal.
void wait_for(std::chrono::nanoseconds time) noexcept;

}  // namespace conch::bench
