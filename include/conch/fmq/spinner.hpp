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
  using thread_id = typename Platform::thread_id;

  /// Looks again and again until done() is true, for `limit` at most. False if it never was, and at
  /// once where another thread spins, or where the process has a single CPU, on which nothing can
  /// change under the eyes of a thread that spins.
  ///
  /// The seat of `relieved`, if it has it, passes to the caller: a thread whose done() is about to be
  /// true because of what the caller has just done, and which gets up as soon as it looks.
  template <class Done>
  bool until(duration limit, Done done, thread_id relieved = {}) noexcept {
    if (limit <= duration::zero() || Platform::cpu_count() == 1) return false;
    auto self = Platform::this_thread();
    if (!sit_down(self, relieved)) return false;
    const auto end = Platform::now() + limit;
    bool is_done = false;
    do {
      for (int looks = 0; looks < looks_per_clock_read && !is_done; ++looks) {
        Platform::relax();
        is_done = done();
      }
    } while (!is_done && Platform::now() < end);
    seat_.compare_exchange_strong(self, thread_id{}, std::memory_order_relaxed);
    return is_done;
  }

private:
  static constexpr int looks_per_clock_read = 16;

  /// Relaxed, as where the seat is left: it guards nothing but the number of spinners.
  bool sit_down(thread_id self, thread_id relieved) noexcept {
    auto sitting = seat_.load(std::memory_order_relaxed);
    return (sitting == thread_id{} || sitting == relieved) &&
           seat_.compare_exchange_strong(sitting, self, std::memory_order_relaxed);
  }

  typename Platform::template atomic<thread_id> seat_{};
};

}  // namespace conch::fmq
