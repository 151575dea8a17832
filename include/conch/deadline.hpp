// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::detail {

/// The deadline of those who wait for ever.
template <class Platform>
inline constexpr auto no_deadline = Platform::time_point::max();

using rough_seconds = std::chrono::duration<long double>;  // compares any two durations unharmed

/// The monotonic deadline `timeout` from now; no_deadline where the sum cannot be represented, and
/// now for a timeout that is not positive.
template <class Platform, class Rep, class Period>
typename Platform::time_point deadline_after(const std::chrono::duration<Rep, Period>& timeout) {
  const auto now = Platform::now();
  if (!(timeout > timeout.zero())) return now;  // written so that a NaN is not positive
  if (rough_seconds(timeout) >= rough_seconds(no_deadline<Platform> - now))
    return no_deadline<Platform>;
  return now + std::chrono::ceil<typename Platform::duration>(timeout);
}

/// How long it is until `deadline`, of any clock: zero if it has come, or is a NaN, and a year if it is
/// further away, so that no sum or difference leaves its range.
template <class Clock, class Duration>
auto time_until(const std::chrono::time_point<Clock, Duration>& deadline) {
  using left = decltype(deadline - Clock::now());
  constexpr std::chrono::hours year{24 * 365};
  const auto now = Clock::now();
  const auto roughly =
      rough_seconds(deadline.time_since_epoch()) - rough_seconds(now.time_since_epoch());
  if (roughly > year) return std::chrono::duration_cast<left>(year);
  if (!(roughly > -year) || deadline <= now) return left::zero();
  return deadline - now;
}

/// Runs acquire(monotonic deadline) until it succeeds or `deadline`, of any clock, has come. A
/// clock that can be set is asked again after each failure.
template <class Platform, class Clock, class Duration, class Acquire>
bool acquire_by(const std::chrono::time_point<Clock, Duration>& deadline, Acquire acquire) {
  auto left = time_until(deadline);
  do {
    if (acquire(deadline_after<Platform>(left))) return true;
    if (left != left.zero()) left = time_until(deadline);
  } while (left != left.zero());
  return false;
}

}  // namespace conch::detail
