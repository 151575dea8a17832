// SPDX-License-Identifier: MIT
#pragma once

#include <conch/extremes.hpp>
#include <conch/fmq/config.hpp>
#include <conch/fmq/record.hpp>
#include <conch/fmq/service_queue.hpp>

#include <cstddef>
#include <cstdint>

namespace conch::fmq {

/// Who comes next, and when the holder has had its share: the policy of an fmq_lock, without any
/// locking of its own. Every operation but for_each() is O(1), amortised where it looks for the best.
///
/// A thread's virtual time is for how long it has held the lock while others wanted it. The clock
/// follows the least virtual time among holder and waiters, but for those behind it, who have credit, and
/// never goes back.
///
/// Equal time: whoever wants the lock all the time is, at any moment, less than a quantum and the
/// way to the holder's next checkpoint ahead of the one that is furthest behind. The quantum is
/// spent so: a waiter may be up to one level behind the first of its level; a holder may get ahead
/// of that one by `lead`; and an alarm may be `tolerance` late.
template <class Platform>
class schedule {
public:
  using record = fmq::record<Platform>;
  using records = fmq::thread_records<Platform>;
  using queue = service_queue<Platform>;
  using time_point = typename Platform::time_point;
  using duration = typename Platform::duration;

  /// The configuration must outlive the schedule.
  constexpr explicit schedule(const fmq_config& config) noexcept : config_(config) {}

  /// How late an alarm may be for the sake of fewer wake-ups.
  [[nodiscard]] duration tolerance() const noexcept {
    return detail::least_of<duration>(config_.credit_slack, config_.quantum / 8);
  }

  /// How far a holder may get ahead of the first of the waiters without credit.
  [[nodiscard]] duration lead() const noexcept {
    return config_.quantum - 2 * (config_.quantum / 8);
  }

  // Waiters --------------------------------------------------------------------------------------

  [[nodiscard]] bool empty() const noexcept { return queue_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return queue_.size(); }

  /// Adds a waiter that comes from elsewhere: it has had at least what the clock shows, but for a
  /// limited credit.
  void admit(record& waiter, time_point now) noexcept {
    recall(waiter);
    waiter.waiting_since = now;
    queue_.push(waiter, clock_);
  }

  /// Adds one that has just held the lock and wants it again.
  void readmit(record& waiter, time_point now) noexcept {
    waiter.waiting_since = now;
    queue_.push(waiter, clock_);
  }

  /// The same for one whom a waiter with credit has cut short: if it was inside its share, it goes
  /// on with the rest of it before the others come.
  void readmit_for_turn(record& waiter, time_point now) noexcept {
    const bool inside = duration(waiter.virtual_time) - lead() < queue_.least_due(clock_);
    if (!inside || !queue_.push_turn(waiter)) return readmit(waiter, now);
    waiter.waiting_since = now;
  }

  /// Whether it is the one whose turn was cut short.
  [[nodiscard]] static bool has_turn(const record& waiter) noexcept {
    return queue::has_turn(waiter);
  }

  void remove(record& waiter) noexcept { queue_.remove(waiter); }

  /// The best waiter: the oldest if it has grown too old, else the first in service order.
  /// Precondition for this and all that follow: somebody waits.
  [[nodiscard]] record& best(time_point now) noexcept {
    auto& oldest = *queue_.oldest();
    return is_aged(oldest, now) ? oldest : *queue_.next(clock_);
  }

  /// Who is to try for a lock that anybody may take: after a quantum's wait the oldest, unless a
  /// turn was cut short, and else the best. Where the CPUs are short rather than the lock, an heir
  /// may take long to come, and what little the threads hold the lock for tells nothing of whose
  /// turn it is.
  [[nodiscard]] record& best_heir(time_point now) noexcept {
    auto& oldest = *queue_.oldest();
    const bool goes_first = now - time_point(oldest.waiting_since) >= config_.quantum;
    return goes_first && !queue_.has_turn() ? oldest : best(now);
  }
  [[nodiscard]] record& last() noexcept { return *queue_.last(clock_); }

  [[nodiscard]] bool is_aged(const record& waiter, time_point now) const noexcept {
    return now - time_point(waiter.waiting_since) >= boost_age();
  }

  /// When a holder whose account has been settled at `since` will have had its share, or a waiter
  /// will be too old.
  [[nodiscard]] time_point due_at(const record& holder, time_point since) noexcept {
    const auto& next = *queue_.next(clock_);
    const auto share = queue::has_credit(next) ? duration(next.virtual_time) + config_.credit_slack
                                               : queue_.least_due(clock_) + lead();
    return detail::least_of(since + (share - duration(holder.virtual_time)), oldest_is_aged_at());
  }

  /// Whether a holder that lets go has had so much that it may not take the lock again at once, or a
  /// waiter is too old. Those with credit get in without that: the lock is free for them.
  [[nodiscard]] bool has_had_share(const record& holder, time_point now) noexcept {
    const auto due = queue_.least_due(clock_);
    const bool beyond = due != duration::max() && duration(holder.virtual_time) >= due + lead();
    return beyond || oldest_is_aged_at() <= now;
  }

  /// Calls visit(record, level) for each waiter in service order.
  template <class Visit>
  void for_each(Visit visit) const {
    queue_.for_each(clock_, visit);
  }

  // Accounts -------------------------------------------------------------------------------------

  /// The first waiter has come: what has passed since the last look was the holder's alone, or
  /// nobody's. The clock catches up with it, and the holder owes it if it is found.
  void open(time_point now) noexcept {
    owed_ += now - settled_;
    clock_ += now - settled_;
    settled_ = now;
  }

  /// A thread begins to hold the lock, and so far nobody owes anything.
  void start(time_point now) noexcept {
    owed_ = duration::zero();
    settled_ = now;
  }

  /// Charges a holder that is known since it began.
  void charge(record& holder, time_point now) noexcept {
    holder.virtual_time = duration(holder.virtual_time) + (now - settled_);
    settle(holder, now);
  }

  /// Charges a holder that is known since it began, until it lent the lock. Accounts may have been settled
  /// since: no time is charged twice.
  void charge_host(record& host, time_point lent_at) noexcept {
    charge(host, detail::most_of(lent_at, settled_));
  }

  /// A holder that is known since it began does not pay for the time for which it has lent the lock. False if
  /// it has not lent it. Relaxed: what it has not counted yet is excused the next time.
  bool excuse(record& host) noexcept {
    const auto lent_for = host.lent_for.load(std::memory_order_relaxed);
    const auto lent = lent_for - duration(host.excused);
    host.excused = lent_for;
    settled_ += lent;
    return lent > duration::zero();
  }

  /// A guest may have the lock for so long in all, until it must be looked again whether it has
  /// credit and its host is due to it.
  void invite(record& guest, const record& host) noexcept {
    const auto due = duration(host.virtual_time) - config_.credit_slack;
    guest.visits_left = detail::least_of(clock_, due) - duration(guest.virtual_time);
  }

  /// A guest pays for a visit. Without the lock's internal mutex: nobody else looks at a guest.
  static void charge_guest(record& guest, duration visit) noexcept {
    guest.virtual_time = duration(guest.virtual_time) + visit;
    guest.visits_left = duration(guest.visits_left) - visit;
  }

  /// Charges a holder that came by the fast path: whoever is found holding pays for all the time
  /// since the last look.
  void charge_found(record& holder, time_point now) noexcept {
    if (holder.virtual_time != records::never_seen)
      holder.virtual_time = duration(holder.virtual_time) + owed_;
    recall(holder);
    charge(holder, now);
  }

  /// When the last look was: until then accounts are settled.
  [[nodiscard]] time_point settled_at() const noexcept { return settled_; }

private:
  /// A thread that was away has had at least what the clock shows, but for its credit. A newcomer
  /// starts where those before it have got to, but inherits no more than eight quanta, and is one until
  /// it has had as much itself: so a fresh thread for each piece of work gains nothing.
  void recall(record& r) noexcept {
    if (r.virtual_time != records::never_seen) {
      r.virtual_time = detail::most_of(duration(r.virtual_time), clock_ - config_.credit);
      return;
    }
    const auto inherited = 8 * config_.quantum;
    r.virtual_time = detail::most_of(clock_, detail::least_of(newcomers_, clock_ + inherited));
    r.newcomer_until = duration(r.virtual_time) + inherited;
  }

  void settle(const record& holder, time_point now) noexcept {
    start(now);
    if (duration(holder.virtual_time) < duration(holder.newcomer_until))
      newcomers_ = detail::most_of(newcomers_, duration(holder.virtual_time));
    clock_ = detail::most_of(
        clock_, detail::least_of(duration(holder.virtual_time), queue_.least_due(clock_)));
  }

  time_point oldest_is_aged_at() const noexcept {
    return time_point(queue_.oldest()->waiting_since) + boost_age();
  }

  /// A waiter older than this goes first: its turn would long have come by itself.
  duration boost_age() const noexcept {
    return detail::most_of(config_.boost_age,
                           2 * static_cast<std::int64_t>(queue_.size()) * config_.quantum);
  }

  const fmq_config& config_;
  queue queue_{config_.quantum / 8};
  duration clock_{};      // the least virtual time of those not behind it; never goes back
  time_point settled_{};  // up to when the holder has been charged
  duration newcomers_{};  // the most that a thread new to the lock has had
  duration owed_{};       // what the clock has gained before `settled_` and nobody has paid
};

}  // namespace conch::fmq
