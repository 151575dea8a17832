// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::lab {

using clock = std::chrono::steady_clock;
using seconds = std::chrono::duration<double>;

inline double per_second(double count, clock::duration time) {
  return count / std::chrono::duration_cast<seconds>(time).count();
}

}  // namespace conch::lab
