// SPDX-License-Identifier: MIT
#pragma once

#include "results.hpp"

#include <string>

namespace conch::bench {

// Each returns lines that end with a newline, and nothing where nothing of it was measured.

/// Rows by locks: how many times as fast as std::mutex.
std::string ratio_table(const results& measured);

/// What a handoff between threads that slept takes, in microseconds.
std::string handoff_table(const results& measured);

/// How fairly, and at what cost in system calls, std::mutex and fmq_lock were shared.
std::string fairness_table(const results& measured);

/// Where fmq_lock does worst beside each other lock, among the contended rows of 2 to 16 threads.
std::string worst_of_fmq_lock(const results& measured);

/// One line for each lock that could not be measured.
std::string missing_locks();

}  // namespace conch::bench
