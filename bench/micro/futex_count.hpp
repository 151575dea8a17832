// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>

namespace conch::bench {

/// What `measure` returns in a child process in which futex_calls() counts. Nothing if the system
/// cannot do it, or if the child did not end in time.
///
/// See ../common/futex_counter.hpp. Each call takes longer than otherwise, so nothing else should be
/// measured there.
std::optional<double> counting_futex_calls(const std::function<double()>& measure);

/// Why there is no count; empty while there is one.
[[nodiscard]] const char* why_no_futex_count() noexcept;

}  // namespace conch::bench
