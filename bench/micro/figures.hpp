// SPDX-License-Identifier: MIT
#pragma once

namespace conch::bench {

/// The names of what is measured of one lock in one row.
namespace figure {
inline constexpr auto time = "time";  // in seconds, of one acquisition or handoff
inline constexpr auto jain_acquisitions = "jain_acquisitions";
inline constexpr auto jain_hold_time = "jain_hold_time";
inline constexpr auto wait_p50 = "wait_p50_ns";
inline constexpr auto wait_p99 = "wait_p99_ns";
inline constexpr auto wait_p999 = "wait_p99.9_ns";
inline constexpr auto longest_wait = "longest_wait_ns";
inline constexpr auto longest_waiter = "longest_wait_of_thread";
inline constexpr auto median_longest_wait = "median_longest_wait_ns";  // of the threads
inline constexpr auto context_switches = "context_switches_per_acquisition";
inline constexpr auto futex_calls = "futex_calls_per_acquisition";
inline constexpr auto others = "cpus_used_by_others";
inline constexpr auto round = "round";
}  // namespace figure

/// The error of a measurement that Ctrl-C has ended, or kept from being made.
inline constexpr auto interrupted_error = "interrupted";

}  // namespace conch::bench
