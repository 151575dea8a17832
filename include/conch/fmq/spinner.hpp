// SPDX-License-Identifier: MIT
#pragma once

#include <conch/extremes.hpp>

#include <atomic>

namespace conch::fmq {

/// A seat for one spinning thread: on a machine with more threads than CPUs, two that spin keep
/// each other, or the holder, from running. Nobody spins where the process has a single CPU, on which
/// nothing can change under the eyes of a thread that spins.
template <class Platform>
class spinner {
public:
  using thread_id = typename Platform::thread_id;
  using time_point = typename Platform::time_point;

  /// Looks a few times whether done() is true: more often after that has been worth it, less often after
  /// it was of no use, and in the end one time in sixteen. As long as it mostly is worth it, a thread for
  /// which it was not, or whose seat another one has, gives way to others a few times and looks again,
  /// once if it has no seat: whoever it waits for may lack a CPU, or have more to do than the first looks
  /// last. False if done() never was true. It does not look where is_taken(): then somebody spins who has left
  /// the seat.
  template <class Done, class Taken>
  bool briefly(Done done, Taken is_taken) noexcept {
    // Relaxed: a guess, whatever others make of it.
    const auto most = looks_.load(std::memory_order_relaxed);
    if (most < least_looks) {  // one that rests, and brings the next nearer to looking
      looks_.store(most + 1, std::memory_order_relaxed);
      return false;
    }
    const bool yields = is_promising(most);
    bool has_looked = yields;
    const auto look = [&] {
      if (!sit_down()) return false;
      if (is_taken()) {
        get_up();
        return false;
      }
      has_looked = true;
      bool is_done = false;
      auto looks = (most * Platform::looks_per_microsecond() + most_looks - 1) / most_looks;
      for (; looks > 0 && !is_done; --looks) {
        Platform::relax();
        is_done = done();
      }
      get_up();
      return is_done;
    };
    bool is_done = look();
    for (unsigned times = 0; yields && times < most_yields && !is_done; ++times) {
      Platform::yield();
      is_done = done() || look();
    }
    if (has_looked)
      looks_.store(is_done              ? detail::least_of(2 * most, most_looks)
                   : most > least_looks ? most - most / 8
                                        : least_looks - rests,
                   std::memory_order_relaxed);
    return is_done;
  }

  /// Whether looking has mostly been worth it lately, so that the lock is soon free each time: a guess.
  [[nodiscard]] bool is_promising() const noexcept {
    return is_promising(looks_.load(std::memory_order_relaxed));
  }

  /// Takes the seat for the calling thread, which may then watch(); false where another thread has it.
  ///
  /// The seat of `relieved`, if it has it, passes to the caller: a thread whose watch is about to end
  /// because of what the caller has just done, and which gets up as soon as it looks.
  ///
  /// Acquire: pairs with get_up(), for a guest that comes again, see visit.hpp.
  bool sit_down(thread_id relieved = {}) noexcept {
    auto sitting = seat_.load(std::memory_order_relaxed);
    return Platform::cpu_count() > 1 && (sitting == thread_id{} || sitting == relieved) &&
           seat_.compare_exchange_strong(sitting, Platform::this_thread(),
                                         std::memory_order_acquire, std::memory_order_relaxed);
  }

  /// Whether a thread that came now would get the seat: a guess.
  [[nodiscard]] bool is_free() const noexcept {
    return Platform::cpu_count() > 1 && seat_.load(std::memory_order_relaxed) == thread_id{};
  }

  /// Leaves the seat, if it was not taken over. Release: pairs with sit_down().
  void get_up(thread_id sitting = Platform::this_thread()) noexcept {
    seat_.compare_exchange_strong(sitting, thread_id{}, std::memory_order_release,
                                  std::memory_order_relaxed);
  }

  /// Looks again and again until done() is true, or it is past `end`.
  template <class Done>
  static void watch(time_point end, Done done) noexcept {
    do {
      for (int looks = 0; looks < looks_per_clock_read; ++looks) {
        Platform::relax();
        if (done()) return;
      }
    } while (Platform::now() < end);
  }

private:
  static constexpr int looks_per_clock_read = 16;
  // In 128ths of a microsecond, so that they last as long on every CPU:
  static constexpr unsigned least_looks = 28;  // they find the shortest sections
  static constexpr unsigned most_looks = 128;
  static constexpr unsigned promising = 64;  // if they have been worth it lately
  static constexpr unsigned rests = 15;      // after looks in vain, threads that do not look
  static constexpr unsigned most_yields = 2;

  static bool is_promising(unsigned looks) noexcept {
    return looks >= promising && Platform::cpu_count() > 1;
  }

  typename Platform::template atomic<thread_id> seat_{};
  typename Platform::template atomic<unsigned> looks_{most_looks};
};

}  // namespace conch::fmq
