// SPDX-License-Identifier: MIT
#pragma once

#include <conch/fmq/record.hpp>

namespace conch::fmq {

/// The present hold of an fmq_lock: whose it is, as far as the lock knows, and until when nobody
/// may cut it short. All of it is guarded by the lock's internal mutex.
///
/// A holder is known only while its release will pass through that mutex, where it is forgotten: so
/// the lock never keeps a record whose thread has gone on.
template <class Platform>
class tenure {
public:
  using record = fmq::record<Platform>;
  using time_point = typename Platform::time_point;
  using duration = typename Platform::duration;

  /// nullptr for a holder that came by the fast path.
  [[nodiscard]] record* holder() const noexcept { return holder_; }
  /// The holder has been given the lock, but has not noticed yet.
  [[nodiscard]] bool is_on_its_way() const noexcept { return on_its_way_; }
  [[nodiscard]] time_point protected_until() const noexcept { return protected_until_; }

  /// Whether the holder has lent the lock since it has it, and got it back.
  [[nodiscard]] bool has_lent() const noexcept { return has_lent_; }

  /// Gives the lock to a waiter.
  void grant(record& heir, bool for_its_age) noexcept {
    holder_ = &heir;
    on_its_way_ = true;
    for_its_age_ = for_its_age;
  }

  /// A thread that was given the lock, or took it, begins to hold it. It is named if it is to be
  /// known; one that was given the lock for its age is protected for `slice`.
  void begin(record* holder, time_point now, duration slice) noexcept {
    holder_ = holder;
    protected_until_ = for_its_age_ ? now + slice : time_point{};
    on_its_way_ = for_its_age_ = has_lent_ = false;
  }

  /// Whom the holder has invited, see visit.hpp. Precondition: the guest has the lock; else it may have
  /// gone on, and away.
  [[nodiscard]] record& guest() const noexcept { return *guest_; }
  void invite(record& guest) noexcept { guest_ = &guest; }

  /// The lock was lent and is back.
  void note_visit() noexcept { has_lent_ = true; }

  /// The holder made itself known at a checkpoint.
  void identify(record& holder) noexcept { holder_ = &holder; }

  /// Nobody holds the lock any more, or nobody asks who does.
  void forget() noexcept {
    holder_ = nullptr;
    protected_until_ = time_point{};
    has_lent_ = false;
  }

private:
  typename Platform::template plain<record*> holder_{nullptr};
  typename Platform::template plain<record*> guest_{nullptr};
  typename Platform::template plain<bool> on_its_way_{false};
  bool for_its_age_ = false;
  bool has_lent_ = false;
  time_point protected_until_{};
};

}  // namespace conch::fmq
