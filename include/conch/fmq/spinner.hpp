// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

namespace conch::fmq {

/// A seat for one spinning thread: on a machine with more threads than CPUs, two that spin keep
/// each other, or the holder, from running.
template <class Platform>
class spinner {
public:
  using duration = typename Platform::duration;

  /// Looks again and again until done() is true, for `limit` at most. False if it never was, and at
  /// once where another thread spins, or where the process has a single CPU, on which nothing can
  /// change under the eyes of a thread that spins.
  template <class Done>
  bool until(duration limit, Done done) noexcept {
    if (limit <= duration::zero() || Platform::cpu_count() == 1 || !sit_down()) return false;
    const auto end = Platform::now() + limit;
    bool is_done = false;
    do {
      for (int looks = 0; looks < looks_per_clock_read && !is_done; ++looks) {
        Platform::relax();
        is_done = done();
      }
    } while (!is_done && Platform::now() < end);
    taken_.store(false, std::memory_order_relaxed);
    return is_done;
  }

private:
  static constexpr int looks_per_clock_read = 16;

  /// Relaxed, as the store above: the flag guards nothing but the number of spinners.
  bool sit_down() noexcept {
    return !taken_.load(std::memory_order_relaxed) &&
           !taken_.exchange(true, std::memory_order_relaxed);
  }

  typename Platform::template atomic<bool> taken_{false};
};

}  // namespace conch::fmq
