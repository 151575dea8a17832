// SPDX-License-Identifier: MIT
#pragma once

/// What <algorithm> has too, which takes longer to compile than the locks.
namespace conch::detail {

template <class T>
constexpr T least_of(T a, T b) noexcept {
  return b < a ? b : a;
}

template <class T>
constexpr T most_of(T a, T b) noexcept {
  return a < b ? b : a;
}

}  // namespace conch::detail
