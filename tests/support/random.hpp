// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace conch::testing {

/// splitmix64 (Steele, Lea and Flood, OOPSLA 2014): the same numbers everywhere for the same seed.
class random_numbers {
public:
  explicit random_numbers(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    auto z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  /// One of 0 … bound - 1.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }

private:
  std::uint64_t state_;
};

}  // namespace conch::testing
