// SPDX-License-Identifier: MIT
#pragma once

#include "hold_watch.hpp"
#include "turn.hpp"
#include "work.hpp"

#include <conch/thread_safety.hpp>

#include <cstdint>

namespace conch::lab {

/// One checkpoint. A lock whose checkpoint does nothing would never let anybody in beside a hog: it
/// is released and taken again instead.
template <class Lock>
bool let_others_in(Lock& lock) {
  if constexpr (Lock::traits.checkpoint_switches)
    return lock.checkpoint();
  else
    return lock.yield();
}

/// What one thread did with a lock.
struct account {
  std::uint64_t work = 0;     ///< units
  std::uint64_t entries = 0;  ///< into its turn
  hold_times times;

  account& operator+=(const account& other) noexcept {
    work += other.work;
    entries += other.entries;
    times += other.times;
    return *this;
  }
};

/// One thread at a lock: takes it, works, lets others in, lets go, and keeps account of it all.
/// Clang's analysis cannot follow that: some locks here have no attributes.
template <class Lock>
class participant {
public:
  participant(Lock& lock, turn& turn, turn::thread self, work_unit unit) noexcept
      : lock_(lock), turn_(turn), self_(self), unit_(unit), watch_(unit) {}

  void acquire() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    watch_.asks();
    lock_.lock();
    watch_.gained();
    enter();
  }

  void release() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    watch_.lets_go();
    turn_.leave(self_);
    lock_.unlock();
  }

  /// So many units of work, and a checkpoint.
  void work(unsigned units) {
    for (unsigned i = 0; i < units; ++i) state_ = do_work(unit_, state_);
    work_ += units;
    watch_.worked(units);
    turn_.leave(self_);
    if (let_others_in(lock_)) watch_.regained();
    enter();
  }

  /// As of the last look of its hold watch.
  [[nodiscard]] clock::duration held() const noexcept { return watch_.times().held; }
  [[nodiscard]] lab::account account() const noexcept { return {work_, entries_, watch_.times()}; }

private:
  void enter() noexcept {
    turn_.enter(self_);
    ++entries_;
  }

  Lock& lock_;
  turn& turn_;
  turn::thread self_;
  work_unit unit_;
  std::uint64_t state_ = static_cast<std::uint64_t>(self_) + 1;
  std::uint64_t work_ = 0;
  std::uint64_t entries_ = 0;
  hold_watch watch_;
};

}  // namespace conch::lab
