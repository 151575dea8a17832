// SPDX-License-Identifier: MIT
#pragma once

#include <conch/extremes.hpp>
#include <conch/fmq/record.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace conch::fmq {

/// The waiters of a lock in the order in which it serves them: those with credit; the one whose
/// turn was cut short; then level by level, each first come, first served. Every operation is O(1),
/// amortised.
///
/// A level is a span of virtual time. The levels stand in a ring of 64 that begins at the level of
/// the lock's clock, with a bit for each that is in use, so that the clock's advance lifts all
/// waiters without touching one, and the lowest level is one bit scan away. Who is further ahead
/// than the ring reaches queues at its end and is moved on when its turn seems to come.
template <class Platform>
class service_queue {
public:
  using record = fmq::record<Platform>;
  using duration = typename Platform::duration;

  /// Levels are as wide as the greatest power of two, in the clock's ticks, up to `widest`, so that
  /// no step divides. Precondition: widest >= 1 tick.
  constexpr explicit service_queue(duration widest) noexcept
      : level_bits_(63 - std::countl_zero(static_cast<std::uint64_t>(widest.count()))) {}

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Who has waited longest; nullptr where nobody waits.
  [[nodiscard]] record* oldest() const noexcept { return by_age_.first; }

  /// Who comes first while the lock's clock shows `clock`; nullptr where nobody waits.
  [[nodiscard]] record* next(duration clock) noexcept {
    if (credit_.first != nullptr) return credit_.first;
    if (turn_ != nullptr) return turn_;
    return first_by_level(clock);
  }

  /// Who comes last.
  [[nodiscard]] record* last(duration clock) noexcept {
    if (used_ != 0) {
      const auto start = level(clock);
      const auto highest =
          63 - std::countl_zero(std::rotr(std::uint64_t{used_}, static_cast<int>(start % 64)));
      return ring_[(start + static_cast<std::uint64_t>(highest)) % 64].last;
    }
    return turn_ != nullptr ? turn_ : credit_.last;
  }

  /// Whether a waiter's turn was cut short.
  [[nodiscard]] bool has_turn() const noexcept { return turn_ != nullptr; }

  [[nodiscard]] static bool has_credit(const record& r) noexcept { return r.place == credit_place; }

  /// Whether it is the waiter whose turn was cut short.
  [[nodiscard]] static bool has_turn(const record& r) noexcept { return r.place == turn_place; }

  /// Whether a waiter has credit, or had its turn cut short by one that has: its wait is short.
  [[nodiscard]] static bool is_express(const record& r) noexcept {
    return r.place == credit_place || r.place == turn_place;
  }

  /// The virtual time of the first waiter without credit, and of the one with a turn if that is
  /// less; duration::max() where there is neither. It is never past the ring's end, so that a clock
  /// that follows it passes nobody by.
  [[nodiscard]] duration least_due(duration clock) noexcept {
    const auto* first = first_by_level(clock);
    const auto ring_end =
        duration(static_cast<typename duration::rep>((level(clock) + 63) << level_bits_));
    const duration by_level = first != nullptr
                                  ? detail::least_of(duration(first->virtual_time), ring_end)
                                  : duration::max();
    return turn_ != nullptr ? detail::least_of(by_level, duration(turn_->virtual_time)) : by_level;
  }

  /// Adds a waiter at the end of its level, or among those with credit if it is behind the clock.
  void push(record& r, duration clock) noexcept {
    if (duration(r.virtual_time) < clock)
      enter(r, credit_, credit_place);
    else
      enter_level(r, clock);
    arrive(r);
  }

  /// Adds a waiter whose turn was cut short; false, and nothing done, if another is there already.
  bool push_turn(record& r) noexcept {
    if (turn_ != nullptr) return false;
    turn_ = &r;
    r.place = turn_place;
    arrive(r);
    return true;
  }

  void remove(record& r) noexcept {
    leave(r);
    by_age_.template remove<&record::by_age>(r);
    size_ = size_ - 1;
  }

  /// Calls visit(record, level) for each waiter in service order.
  template <class Visit>
  void for_each(duration clock, Visit visit) const {
    for (const auto* r = credit_.first; r != nullptr; r = r->by_level.after) visit(*r, 0);
    if (turn_ != nullptr) visit(*turn_, 1);
    const auto start = level(clock);
    for (std::uint64_t ahead = 0; ahead < 64; ++ahead)
      for (const auto* r = ring_[(start + ahead) % 64].first; r != nullptr; r = r->by_level.after)
        visit(*r, static_cast<int>(ahead) + 1);
  }

private:
  static constexpr std::uint8_t credit_place = 64;
  static constexpr std::uint8_t turn_place = 65;

  struct list {
    record* first = nullptr;
    record* last = nullptr;

    template <auto Link>
    void push(record& r) noexcept {
      (r.*Link).before = last;
      (r.*Link).after = nullptr;
      (last != nullptr ? (last->*Link).after : first) = &r;
      last = &r;
    }

    template <auto Link>
    void remove(record& r) noexcept {
      const auto link = r.*Link;
      (link.before != nullptr ? (link.before->*Link).after : first) = link.after;
      (link.after != nullptr ? (link.after->*Link).before : last) = link.before;
    }
  };

  [[nodiscard]] std::uint64_t level(duration virtual_time) const noexcept {
    return static_cast<std::uint64_t>(virtual_time.count()) >> level_bits_;
  }

  void arrive(record& r) noexcept {
    by_age_.template push<&record::by_age>(r);
    size_ = size_ + 1;
  }

  void enter(record& r, list& queue, std::uint8_t place) noexcept {
    queue.template push<&record::by_level>(r);
    r.place = place;
  }

  void enter_level(record& r, duration clock) noexcept {
    const auto last = level(clock) + 63;
    const auto at = static_cast<std::uint8_t>(detail::least_of(level(r.virtual_time), last) % 64);
    enter(r, ring_[at], at);
    used_ = used_ | std::uint64_t{1} << at;
  }

  void leave(record& r) noexcept {
    const std::uint8_t place = r.place;
    if (place == turn_place) {
      turn_ = nullptr;
    } else {
      auto& queue = place == credit_place ? credit_ : ring_[place];
      queue.template remove<&record::by_level>(r);
      if (place != credit_place && queue.first == nullptr)
        used_ = used_ & ~(std::uint64_t{1} << place);
    }
    r.place = record::unqueued;
  }

  [[nodiscard]] record* first_by_level(duration clock) noexcept {
    const auto start = level(clock);
    while (used_ != 0) {
      const auto ahead = static_cast<std::uint64_t>(
          std::countr_zero(std::rotr(std::uint64_t{used_}, static_cast<int>(start % 64))));
      record* first = ring_[(start + ahead) % 64].first;
      if (ahead == 63 || level(first->virtual_time) <= start + ahead) return first;
      leave(*first);  // it was past the ring's end when it came
      enter_level(*first, clock);
    }
    return nullptr;
  }

  int level_bits_;
  typename Platform::template plain<std::uint64_t> used_{0};
  std::array<list, 64> ring_{};
  list credit_;
  record* turn_ = nullptr;
  list by_age_;
  typename Platform::template plain<std::size_t> size_{0};
};

}  // namespace conch::fmq
