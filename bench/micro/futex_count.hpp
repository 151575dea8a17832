// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

namespace conch::bench {

/// The futex calls of this process so far; always 0 but in a child that counts them.
[[nodiscard]] std::uint64_t futex_calls() noexcept;

/// What `measure` returns in a child process in which futex_calls() counts. Nothing if the system
/// forbids it, or if the child did not end in time.
///
/// A seccomp filter turns each futex call into a signal, whose handler counts it and makes it. That
/// works without privileges and for calls from inside the C library, and no second process slows
/// the threads; each call takes a signal's time longer, so nothing else should be measured there.
std::optional<double> counting_futex_calls(const std::function<double()>& measure);

/// Why there is no count; empty while there is one.
[[nodiscard]] const char* why_no_futex_count() noexcept;

}  // namespace conch::bench
