// SPDX-License-Identifier: MIT
#pragma once

#include <conch/fmq/record.hpp>

namespace conch::fmq {

/// Which waiter of an fmq_lock sleeps with an alarm, to see to it that the holder moves on in time.
///
/// One is enough, and none would leave a holder alone with the lock for ever: whoever changes what
/// the alarm depends on looks whether it is still early enough. A thread that is about to wait can
/// take the duty itself; from others it falls to a waiter that has to be woken to set its alarm.
/// All of it happens under the lock's internal mutex.
template <class Platform>
class timer_duty {
public:
  using record = fmq::record<Platform>;
  using time_point = typename Platform::time_point;
  using duration = typename Platform::duration;
  using waker = typename Platform::parker::waker;

  [[nodiscard]] bool is_kept_by(const record& waiter) const noexcept { return keeper_ == &waiter; }
  [[nodiscard]] bool is_kept() const noexcept { return keeper_ != nullptr; }
  [[nodiscard]] time_point alarm() const noexcept { return alarm_; }

  /// Whether an alarm at `at` must be set: nobody has the duty, or its alarm is too late by more
  /// than `tolerance`, which spares the wake-ups that would gain next to nothing.
  [[nodiscard]] bool is_late_for(time_point at, duration tolerance) const noexcept {
    return keeper_ == nullptr || at + tolerance < alarm_;
  }

  /// The waiter takes the duty, from another one if there is one, and sets its alarm itself.
  void take(record& waiter, time_point at) noexcept {
    keeper_ = &waiter;
    alarm_ = at;
  }

  /// The duty is the present keeper's, or else the given waiter's, who is woken to set the alarm.
  [[nodiscard]] waker pass_to(record& waiter, time_point at) noexcept {
    take(keeper_ != nullptr ? *keeper_ : waiter, at);
    return keeper_->thread->sleeper.unpark();
  }

  /// The waiter gives the duty up, if it has it.
  void give_up(const record& waiter) noexcept {
    if (keeper_ == &waiter) keeper_ = nullptr;
  }

private:
  typename Platform::template plain<record*> keeper_{nullptr};
  time_point alarm_{};
};

}  // namespace conch::fmq
