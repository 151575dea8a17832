// SPDX-License-Identifier: MIT
#include "latency_histogram.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace conch::lab {

void latency_histogram::record(latency time) noexcept {
  time = std::max(time, latency::zero());
  ++in_cell_[cell_of(static_cast<std::uint64_t>(time.count()))];
  ++count_;
  longest_ = std::max(longest_, time);
}

latency_histogram::latency latency_histogram::quantile(double share) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_)));
  std::uint64_t seen = 0;
  for (std::size_t cell = 0; cell < cells; ++cell) {
    seen += in_cell_[cell];
    if (seen != 0 && seen >= wanted)
      return std::min(longest_, latency(static_cast<latency::rep>(upper_end(cell))));
  }
  return longest_;
}

// Numbers below 2^(cell_bits + 1) have a cell each; above, the cell is the exponent and the
// cell_bits bits that follow the highest one.
std::size_t latency_histogram::cell_of(std::uint64_t nanoseconds) noexcept {
  const auto width = static_cast<unsigned>(std::bit_width(nanoseconds));
  const unsigned shift = width > cell_bits + 1 ? width - (cell_bits + 1) : 0;
  return (std::size_t{shift} << cell_bits) + static_cast<std::size_t>(nanoseconds >> shift);
}

std::uint64_t latency_histogram::upper_end(std::size_t cell) noexcept {
  const auto shift =
      std::max<std::size_t>(cell >> cell_bits, 1) - 1;  // the two first powers share shift 0
  const std::uint64_t leading = cell - (shift << cell_bits);
  return ((leading + 1) << shift) - 1;
}

}  // namespace conch::lab
