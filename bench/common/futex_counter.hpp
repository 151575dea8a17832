// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace conch::bench {

// Counts the futex system calls of chosen threads, exactly, whoever makes them: a lock itself or
// the C library on its behalf. Needs no privileges and no other process: the kernel is told to turn
// each futex call of the thread into a signal, whose handler counts the call and makes it. That
// costs a microsecond or two for each call, and so speeds are not to be taken from the same run.

/// Counts those of the calling thread, and of the threads that it starts from now on, until they end.
/// False where that cannot be done: on other systems than Linux on x86-64 and ARM64, and where the
/// system refuses.
bool count_futex_calls_of_this_thread() noexcept;

/// How many there have been, of all such threads.
std::uint64_t futex_calls() noexcept;

}  // namespace conch::bench
