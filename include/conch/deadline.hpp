// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::detail {

/// The deadline of those who wait for ever.
template <class Platform>
inline constexpr auto no_deadline = Platform::time_point::max();

/// The monotonic deadline `timeout` from now; no_deadline where the sum cannot be represented, and
/// now for a timeout that is not positive.
template <class Platform, class Rep, class Period>
typename Platform::time_point deadline_after(const std::chrono::duration<Rep, Period>& timeout) {
  using seconds = std::chrono::duration<long double>;  // compares any two durations unharmed
  const auto now = Platform::now();
  if (!(timeout > timeout.zero())) return now;  // written so that a NaN is not positive
  if (seconds(timeout) >= seconds(no_deadline<Platform> - now)) return no_deadline<Platform>;
  return now + std::chrono::ceil<typename Platform::duration>(timeout);
}

/// Runs acquire(monotonic deadline) until it succeeds or `deadline`, of any clock, has come. A
/// clock that can be set is asked again after each failure.
template <class Platform, class Clock, class Duration, class Acquire>
bool acquire_by(const std::chrono::time_point<Clock, Duration>& deadline, Acquire acquire) {
  for (;;) {
    const auto now = Clock::now();
    const bool past = deadline <= now;
    const auto left = past ? decltype(deadline - now)::zero() : deadline - now;
    if (acquire(deadline_after<Platform>(left))) return true;
    if (past || Clock::now() >= deadline) return false;
  }
}

}  // namespace conch::detail
