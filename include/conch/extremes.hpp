// SPDX-License-Identifier: MIT
#pragma once

/// What <algorithm> has too, without the time that it takes to compile.
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
