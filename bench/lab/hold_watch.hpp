// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "work.hpp"

#include <algorithm>
#include <cstdint>

namespace conch::lab {

/// For how long one thread held a lock and waited for it.
struct hold_times {
  std::uint64_t gains = 0;  ///< how often it got the lock
  clock::duration held{0};
  clock::duration longest_wait{0};
  clock::duration longest_gap{0};  ///< from one checkpoint or release to the next, as a holder

  hold_times& operator+=(const hold_times& other) noexcept {
    gains += other.gains;
    held += other.held;
    longest_wait = std::max(longest_wait, other.longest_wait);
    longest_gap = std::max(longest_gap, other.longest_gap);
    return *this;
  }
};

/// Keeps a thread's hold times, for the price of one clock read in many units of work.
///
/// A clock read costs a tenth of a unit, and so none is made at each checkpoint. One is made when
/// the thread asks for the lock, has gained it, and is about to let go, and one after every
/// `units_per_look` units: what lies between two looks is hold time as the clock saw it, including
/// time for which the system took the CPU away. Only the rest, the fewer than `units_per_look` units
/// between the last look and the checkpoint that gave the lock away, is reckoned from the time that
/// a unit takes. It is the same for every lock, and for the hog without one that the others are
/// compared with. The longest gap is so too long by up to `units_per_look` units.
class hold_watch {
public:
  explicit hold_watch(work_unit unit) noexcept : unit_(unit) {}

  /// The thread is about to take the lock.
  void asks() noexcept { looked_ = clock::now(); }

  /// It has the lock.
  void gained() noexcept {
    const auto now = clock::now();
    times_.longest_wait = std::max(times_.longest_wait, now - looked_);
    ++times_.gains;
    looked_ = now;
    unseen_ = 0;
  }

  void worked(unsigned units) noexcept {
    unseen_ += units;
    if (unseen_ >= units_per_look) look();
  }

  /// It has the lock again, which at the checkpoint that just ended was somebody else's.
  void regained() noexcept {
    const auto unseen = std::chrono::duration_cast<clock::duration>(unit_.time * unseen_);
    times_.held += unseen;
    looked_ += unseen;
    gained();
  }

  /// It is about to let go.
  void lets_go() noexcept { look(); }

  [[nodiscard]] const hold_times& times() const noexcept { return times_; }

private:
  static constexpr unsigned units_per_look = 16;

  void look() noexcept {
    const auto now = clock::now();
    times_.held += now - looked_;
    times_.longest_gap = std::max(times_.longest_gap, now - looked_);
    looked_ = now;
    unseen_ = 0;
  }

  work_unit unit_;
  clock::time_point looked_;
  unsigned unseen_ = 0;
  hold_times times_;
};

}  // namespace conch::lab
