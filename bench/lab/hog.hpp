// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "turn.hpp"
#include "work.hpp"

#include <atomic>
#include <cstdint>

namespace conch::lab {

/// What a hog is told.
struct hog_order {
  turn::thread self = 0;
  work_unit unit;
  unsigned spacing = 1;  ///< units of work from one checkpoint to the next
};

/// What a hog did.
struct hog_tally {
  std::uint64_t work = 0;     ///< units of work
  std::uint64_t entries = 0;  ///< into its turn
  clock::duration hold_time{0};
};

/// How long a hog holds the lock, for the price of one clock read in many units of work.
///
/// A clock read costs a tenth of a unit, and so none is made at each checkpoint. One is made when
/// the hog has gained the lock, and one after every `units_per_look` units: what lies between two
/// looks is hold time as the clock saw it, including time for which the system took the CPU away.
/// Only the rest, the fewer than `units_per_look` units between the last look and the checkpoint
/// that gave the lock away, is reckoned from the time that a unit takes. It is the same for every
/// lock, and for the hog without one that the others are compared with.
class hold_watch {
public:
  explicit hold_watch(work_unit unit) noexcept : unit_(unit) {}

  void gained() noexcept {
    looked_ = clock::now();
    unseen_ = 0;
  }

  void worked(unsigned units) noexcept {
    unseen_ += units;
    if (unseen_ >= units_per_look) look();
  }

  /// The lock has been somebody else's since the last unit of work.
  void lost() noexcept {
    held_ += std::chrono::duration_cast<clock::duration>(unit_.time * unseen_);
    unseen_ = 0;
  }

  /// The hog is about to let go for good.
  clock::duration stop() noexcept {
    look();
    return held_;
  }

private:
  static constexpr unsigned units_per_look = 16;

  void look() noexcept {
    const auto now = clock::now();
    held_ += now - looked_;
    looked_ = now;
    unseen_ = 0;
  }

  work_unit unit_;
  clock::time_point looked_;
  unsigned unseen_ = 0;
  clock::duration held_{0};
};

/// One checkpoint. A lock whose checkpoint does nothing would never let anybody in beside a hog: it
/// is released and taken again instead.
template <class Lock>
bool let_others_in(Lock& lock) {
  if constexpr (Lock::traits.checkpoint_switches)
    return lock.checkpoint();
  else
    return lock.yield();
}

/// A CPU-bound thread: works, and never lets go but at checkpoints, until it is told to stop.
template <class Lock>
hog_tally run_hog(Lock& lock, turn& turn, hog_order order, const std::atomic<bool>& stop) {
  hog_tally tally;
  hold_watch watch(order.unit);
  auto state = static_cast<std::uint64_t>(order.self) + 1;
  lock.lock();
  watch.gained();
  turn.enter(order.self);
  while (!stop.load(std::memory_order_relaxed)) {  // pairs with nothing: it is only seen, in time
    for (unsigned i = 0; i < order.spacing; ++i) state = do_work(order.unit, state);
    tally.work += order.spacing;
    watch.worked(order.spacing);
    turn.leave(order.self);
    const bool switched = let_others_in(lock);
    if (switched) {
      watch.lost();
      watch.gained();
    }
    turn.enter(order.self);
    ++tally.entries;
  }
  ++tally.entries;  // the first one
  tally.hold_time = watch.stop();
  turn.leave(order.self);
  lock.unlock();
  return tally;
}

}  // namespace conch::lab
