// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::lab {

using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

/// How long threads, clients and servers may take to answer or to end. A lock that has lost a wake-up
/// takes for ever.
inline constexpr std::chrono::seconds patience{10};

inline double per_second(double count, clock::duration time) {
  return count / std::chrono::duration_cast<seconds>(time).count();
}

}  // namespace conch::lab
