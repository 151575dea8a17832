// SPDX-License-Identifier: MIT
#pragma once

#include <conch/drop_request.hpp>
#include <conch/fmq/record.hpp>

#include <atomic>
#include <cstdint>

namespace conch::fmq {

// clang-format off
/// How a holder that is due lets in a waiter that has credit and spins: it lends the lock, spins until
/// it is back, and goes on. The holder does not take the guard, and so stops for little more than what
/// its guest does with the lock.
///
///   none      There is no guest.
///   offered   The guest, the best of the waiters, spins, and the holder is due to it and asked.
///   lent      The guest has the lock and has not noticed yet. The holder, now its host, spins.
///   taken     The guest has noticed.
///   over      The guest has given the lock back.
///
///   none, over → offered   with the guard, by the guest
///   offered → none         by the guest, about to sleep; or with the guard, by whoever passes the
///                          lock on or wants the holder asked for its own sake
///   offered → lent         by the holder at a checkpoint; the request is met in the same step
///   lent → taken           by the guest
///   taken → over           with the guard, by the guest
///   lent → none            with the guard: the lock is the host's again, and the guest waits on
///   taken → none           with the guard: the guest becomes the holder, and its host waits
///
/// From offered to over the holder, or host, is known, and so a release goes through the guard; the
/// guest is among those who wait, and has the only seat for spinning. The stage shares a word with the
/// drop request: whoever asks for another reason changes the stage first, and so the holder cannot
/// clear that request unseen.
///
/// Orders: the lock passes with lent and comes back with over. Each of the two is a release, and
/// whoever sees it acquires. The steps in between are read-modify-writes, and so belong to the release
/// before them.
// clang-format on
template <class Platform>
class visit {  // NOLINT(*Padding): see guest_
public:
  using record = fmq::record<Platform>;
  using request = drop_request<Platform>;
  using time_point = typename Platform::time_point;

  constexpr explicit visit(request& asks) noexcept : request_(asks) {}

  // Without the guard, by the holder and host ----------------------------------------------------

  /// Also with the guard, by anybody. Acquire: pairs with offer(), so that nobody reads any more what
  /// lend() overwrites; and with lend(), for whoever goes on to take_back() or keep().
  [[nodiscard]] bool is_offered() const noexcept {
    return stage(std::memory_order_acquire) == offered;
  }

  /// False if it is not offered any more. Release: pairs with accept() and, for whoever settles the visit,
  /// with is_offered().
  bool lend(time_point now) noexcept {
    began_ = now;
    was_in_vain_ = false;
    request_.clear_mirror();
    return change(offered | request::asked, lent, std::memory_order_release);
  }

  /// Relaxed: whoever sees the end of it looks at what end that was, by is_over() or under the guard.
  [[nodiscard]] bool is_under_way() const noexcept {
    const auto seen = stage();
    return seen == lent || seen == taken;
  }

  /// Acquire: pairs with give_back().
  [[nodiscard]] bool is_over() const noexcept { return stage(std::memory_order_acquire) == over; }

  // Without the guard, by the guest --------------------------------------------------------------

  /// True if it has been lent the lock. Acquire: pairs with lend().
  bool accept() noexcept {
    return stage() == lent && change(lent, taken, std::memory_order_acquire);
  }

  /// Also with the guard, by anybody: false if it was not offered. Relaxed: nothing has passed.
  bool withdraw() noexcept {
    return change(offered | request::asked, request::asked, std::memory_order_relaxed);
  }

  // With the guard -------------------------------------------------------------------------------

  /// The guest of a visit that is not settled; nullptr where there is none.
  [[nodiscard]] record* guest() const noexcept { return guest_; }
  [[nodiscard]] time_point began() const noexcept { return began_; }

  /// By the holder, if it is not the host: the guest gives the lock back. False if there is no visit.
  /// Release: pairs with is_over().
  bool give_back() noexcept { return change(taken, over, std::memory_order_release); }

  /// False if the holder is to be asked next; if it has been already, it may have lent the lock by now.
  /// Precondition: the visit before is settled. Release: pairs with is_offered(); a request that follows
  /// is a read-modify-write and belongs to it.
  bool offer(record& guest) noexcept {
    guest_ = &guest;
    const bool is_asked = request_.standing();
    request_.bits().store(is_asked ? offered | request::asked : offered, std::memory_order_release);
    return is_asked;
  }

  /// False if the guest has noticed, or was not lent the lock. Relaxed: is_offered() has acquired.
  bool take_back() noexcept {
    const bool in_vain = change(lent, none, std::memory_order_relaxed);
    if (in_vain) was_in_vain_ = true;
    return in_vain;
  }

  /// The guest keeps the lock; false if it does not have it. Relaxed: as take_back().
  bool keep() noexcept { return change(taken, none, std::memory_order_relaxed); }

  /// By the host: whether the lock was taken back.
  [[nodiscard]] bool was_in_vain() const noexcept { return was_in_vain_; }

  void settled() noexcept { guest_ = nullptr; }

private:
  static constexpr std::uint32_t none = 0;
  static constexpr std::uint32_t offered = 1 << 1;
  static constexpr std::uint32_t lent = 2 << 1;
  static constexpr std::uint32_t taken = 3 << 1;
  static constexpr std::uint32_t over = 4 << 1;

  std::uint32_t stage(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return request_.bits().load(order) & ~request::asked;
  }

  bool change(std::uint32_t from, std::uint32_t to, std::memory_order order) noexcept {
    return request_.bits().compare_exchange_strong(from, to, order, std::memory_order_relaxed);
  }

  request& request_;
  typename Platform::template plain<time_point> began_{};
  typename Platform::template plain<bool> was_in_vain_{false};
  // Not on the line that host and guest watch.
  alignas(64) typename Platform::template plain<record*> guest_{nullptr};
};

}  // namespace conch::fmq
