// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace conch::lab {

/// Latencies, in cells that are each less than 1 % wide. Recording is a few instructions and never
/// allocates, and the whole can be sent to another process as it lies in memory.
class latency_histogram {
public:
  using latency = std::chrono::nanoseconds;

  void record(latency time) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] latency longest() const noexcept { return longest_; }
  /// The latency that the given share of all, from 0 to 1, did not exceed; to within 1 %.
  [[nodiscard]] latency quantile(double share) const noexcept;

private:
  static constexpr unsigned cell_bits = 7;  // 128 cells from each power of two to the next
  static constexpr std::size_t cells = (64 - cell_bits) << cell_bits;

  static std::size_t cell_of(std::uint64_t nanoseconds) noexcept;
  static std::uint64_t upper_end(std::size_t cell) noexcept;

  std::array<std::uint64_t, cells> in_cell_{};
  std::uint64_t count_ = 0;
  latency longest_{0};
};

}  // namespace conch::lab
