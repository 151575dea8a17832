// SPDX-License-Identifier: MIT
#pragma once

#include <conch/contract.hpp>

#include <chrono>
#include <string>

namespace conch {

/// The times of an fmq_lock. The defaults suit interpreters; each field says its range.
struct fmq_config {
  using duration = std::chrono::nanoseconds;  ///< of the fields

  /// How far a holder may get ahead of the next waiter, in time held. [1 µs, 1 s]
  duration quantum = std::chrono::milliseconds(5);
  /// How far behind the clock a thread that comes back may be: what it can hold the lock for before
  /// it queues with everybody else. [0, 1 s]
  duration credit = std::chrono::milliseconds(4);
  /// How far a holder may get ahead of a waiter that has credit. [0, quantum]
  duration credit_slack = std::chrono::microseconds(250);
  /// The least age at which a waiter goes first. (0, 10 s]
  duration boost_age = std::chrono::milliseconds(40);
  /// For how long it then holds the lock undisturbed. [0, quantum]
  duration boost_slice = std::chrono::milliseconds(1);
  /// How long a woken waiter competes with threads that come by, until the next release is
  /// promised to a waiter. [0, 1 s]
  duration seal_after = std::chrono::milliseconds(1);
  /// How often it loses before that, at the most. [1, 1000]
  unsigned seal_tries = 8;
  /// For how long a waiter that expects the lock soon spins before it sleeps, and a holder that has lent
  /// it before it waits like others; never on one CPU. Zero ends all spinning. [0, 20 µs]
  duration spin = std::chrono::microseconds(20);
};

/// The same configuration; throws std::invalid_argument that names the first field out of range.
constexpr fmq_config checked(const fmq_config& config) {
  using std::chrono::microseconds;
  using std::chrono::nanoseconds;
  using std::chrono::seconds;
  const auto check = [](const char* field, nanoseconds value, nanoseconds least, nanoseconds most) {
    if (value < least || value > most)
      detail::reject("fmq_config: " + std::string(field) + " is " + std::to_string(value.count()) +
                     " ns; it must be from " + std::to_string(least.count()) + " to " +
                     std::to_string(most.count()) + " ns");
  };
  check("quantum", config.quantum, microseconds(1), seconds(1));
  check("credit", config.credit, nanoseconds(0), seconds(1));
  check("credit_slack", config.credit_slack, nanoseconds(0), config.quantum);
  check("boost_age", config.boost_age, nanoseconds(1), seconds(10));
  check("boost_slice", config.boost_slice, nanoseconds(0), config.quantum);
  check("seal_after", config.seal_after, nanoseconds(0), seconds(1));
  check("spin", config.spin, nanoseconds(0), microseconds(20));
  if (config.seal_tries < 1 || config.seal_tries > 1000)
    detail::reject("fmq_config: seal_tries is " + std::to_string(config.seal_tries) +
                   "; it must be from 1 to 1000");
  return config;
}

}  // namespace conch
