// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>

namespace conch::fmq {

/// A seat for one spinning thread: on a machine with more threads than CPUs, two that spin keep
/// each other, or the holder, from running. Nobody spins where the process has a single CPU, on which
/// nothing can change under the eyes of a thread that spins.
template <class Platform>
class spinner {
public:
  using duration = typename Platform::duration;
  using thread_id = typename Platform::thread_id;

  /// Looks a few times whether done() is true: more often after that has been worth it, until it was
  /// of no use. False if it never was, and at once where another thread spins.
  template <class Done>
  bool briefly(Done done) noexcept {
    auto self = Platform::this_thread();
    if (Platform::cpu_count() == 1 || !sit_down(self, thread_id{})) return false;
    // Relaxed: a guess, whatever others make of it.
    const auto most = looks_.load(std::memory_order_relaxed);
    bool is_done = false;
    for (unsigned looks = 0; looks < most && !is_done; ++looks) {
      Platform::relax();
      is_done = done();
    }
    looks_.store(is_done ? std::min(2 * most, most_looks) : std::max(most - most / 8, least_looks),
                 std::memory_order_relaxed);
    get_up(self);
    return is_done;
  }

  /// Looks again and again until done() is true, for `limit` at most. False if it never was, and at
  /// once where another thread spins.
  ///
  /// The seat of `relieved`, if it has it, passes to the caller: a thread whose done() is about to be
  /// true because of what the caller has just done, and which gets up as soon as it looks.
  template <class Done>
  bool until(duration limit, Done done, thread_id relieved = {}) noexcept {
    if (limit <= duration::zero() || Platform::cpu_count() == 1) return false;
    const auto self = Platform::this_thread();
    if (!sit_down(self, relieved)) return false;
    const auto end = Platform::now() + limit;
    bool is_done = false;
    do {
      for (int looks = 0; looks < looks_per_clock_read && !is_done; ++looks) {
        Platform::relax();
        is_done = done();
      }
    } while (!is_done && Platform::now() < end);
    get_up(self);
    return is_done;
  }

private:
  static constexpr int looks_per_clock_read = 16;
  static constexpr unsigned least_looks = 4;  // those make do that find the shortest sections
  static constexpr unsigned most_looks = 32;  // less than a microsecond

  /// Relaxed, as where the seat is left: it guards nothing but the number of spinners.
  bool sit_down(thread_id self, thread_id relieved) noexcept {
    auto sitting = seat_.load(std::memory_order_relaxed);
    return (sitting == thread_id{} || sitting == relieved) &&
           seat_.compare_exchange_strong(sitting, self, std::memory_order_relaxed);
  }

  /// If the seat was not taken over.
  void get_up(thread_id self) noexcept {
    seat_.compare_exchange_strong(self, thread_id{}, std::memory_order_relaxed);
  }

  typename Platform::template atomic<thread_id> seat_{};
  typename Platform::template atomic<unsigned> looks_{most_looks};
};

}  // namespace conch::fmq
