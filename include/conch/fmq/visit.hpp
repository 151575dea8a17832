// SPDX-License-Identifier: MIT
#pragma once

#include <conch/drop_request.hpp>
#include <conch/extremes.hpp>

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
///   lent      The lock is the guest's. The holder, now its host, spins.
///   over      The guest has given the lock back.
///
///   none, over → offered   with the guard, by the guest
///   offered → none         by the guest, about to sleep; or with the guard, by whoever passes the
///                          lock on or wants the holder asked for its own sake
///   offered → lent         by the holder at a checkpoint; the request is met in the same step
///   lent → over            with the guard, by the guest that releases the lock
///   lent → none            with the guard, by anybody who has another business there: the guest becomes
///                          the holder, and its host waits
///
/// From offered to over the holder, or host, is known, and so a release goes through the guard; the
/// guest is among those who wait, and has the only seat for spinning. The stage shares a word with the
/// drop request: whoever asks for another reason changes the stage first, and so the holder cannot
/// clear that request unseen.
///
/// Orders: the lock passes with lent and comes back with over. Each of the two is a release, and
/// whoever sees it acquires. The host may see the next offer in place of over: it was made after that, with
/// the guard, and is a release too.
///
/// What host and guest tell each other is all here, on one line of the cache with the request, and the
/// host changes nothing else of the lock.
// clang-format on
template <class Platform>
class visit {
public:
  using request = drop_request<Platform>;
  using thread_id = typename Platform::thread_id;
  using time_point = typename Platform::time_point;

  constexpr explicit visit(request& asks) noexcept : request_(asks) {}

  // Without the guard, by the holder and host ----------------------------------------------------

  /// Acquire: pairs with offer(), so that its time is seen with it.
  [[nodiscard]] bool is_offered_to(thread_id holder) const noexcept {
    return stage(std::memory_order_acquire) == offered && is_host(holder);
  }

  /// When the visit was offered that is_offered_to() has seen. Relaxed: it has acquired that.
  [[nodiscard]] time_point offered_at() const noexcept {
    return began_.load(std::memory_order_relaxed);
  }

  /// False if it is not offered any more. Release: pairs with is_lent().
  bool lend() noexcept {
    request_.clear_mirror();
    return change(offered | request::asked, lent, std::memory_order_release);
  }

  /// By the host that has lent it, which looks at the clock while its guest goes on, and may be kept from
  /// running before it looks: it pays until then. Relaxed: whoever settles the visit before this has the time
  /// of its offer, and charges what the guest waited for its host to the guest. A visit offered since has
  /// another time, which stays.
  void note_begin(time_point offered_at, time_point now) noexcept {
    began_.compare_exchange_strong(offered_at, now, std::memory_order_relaxed);
  }

  /// Relaxed: whoever sees the end of it looks at what end that was, by is_back_with() or under the
  /// guard.
  [[nodiscard]] bool is_under_way() const noexcept { return stage() == lent; }

  /// Whether the host holds the lock again: the guest has given it back, or the next one offers. Another
  /// host's visit is not taken for its own, and it has no other itself: one who was made a waiter must
  /// have come back from here before a visit is offered to it again. Acquire: pairs with give_back(), and
  /// with offer() after it.
  [[nodiscard]] bool is_back_with(thread_id host) const noexcept {
    const auto now = stage(std::memory_order_acquire);
    return (now == over || now == offered) && is_host(host);
  }

  // Without the guard, by the guest --------------------------------------------------------------

  /// Also with the guard, by anybody. Acquire: pairs with lend().
  [[nodiscard]] bool is_lent() const noexcept { return stage(std::memory_order_acquire) == lent; }

  /// Also with the guard, by anybody: false if it was not offered. Relaxed: nothing has passed.
  bool withdraw() noexcept {
    return change(offered | request::asked, request::asked, std::memory_order_relaxed);
  }

  // Without the guard, by anybody ----------------------------------------------------------------

  /// The host first, and acquire: pairs with offer(), so that who is the host of the next visit does not
  /// see the stage of one before. And then is_lent(), which pairs with end() too, so that a host that has
  /// become a waiter is not taken for the owner.
  [[nodiscard]] bool is_lent_by(thread_id host) const noexcept {
    return is_host(host, std::memory_order_acquire) && is_lent();
  }

  // With the guard -------------------------------------------------------------------------------

  /// Relaxed: ordered by the guard, and where it is not offered, is_lent() acquires.
  [[nodiscard]] bool is_offered() const noexcept { return stage() == offered; }

  /// When it began, as seen `now`: a host that is slow to look may say so later. Relaxed: see note_begin().
  [[nodiscard]] time_point began_by(time_point now) const noexcept {
    return detail::least_of(began_.load(std::memory_order_relaxed), now);
  }

  /// True if the holder had not been asked before. Precondition: the visit before is over. Release:
  /// pairs with is_offered_to() and is_back_with().
  bool offer(thread_id holder, time_point now) noexcept {
    began_.store(now, std::memory_order_relaxed);
    host_.store(holder, std::memory_order_release);  // pairs with is_lent_by()
    return request_.raise_with(offered, std::memory_order_release);
  }

  /// By the guest that releases the lock. Release: pairs with is_back_with().
  void give_back() noexcept { request_.bits().store(over, std::memory_order_release); }

  /// The guest keeps the lock; one that has not noticed learns it under the guard, or goes to sleep and is
  /// woken. Release: pairs with is_lent(), for is_lent_by().
  void end() noexcept { request_.bits().store(none, std::memory_order_release); }

private:
  static constexpr std::uint32_t none = 0;
  static constexpr std::uint32_t offered = 1 << 1;
  static constexpr std::uint32_t lent = 2 << 1;
  static constexpr std::uint32_t over = 3 << 1;

  std::uint32_t stage(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return request_.bits().load(order) & ~request::asked;
  }

  bool change(std::uint32_t from, std::uint32_t to, std::memory_order order) noexcept {
    return request_.bits().compare_exchange_strong(from, to, order, std::memory_order_relaxed);
  }

  /// Relaxed: where the stage is seen first, it orders this.
  bool is_host(thread_id thread,
               std::memory_order order = std::memory_order_relaxed) const noexcept {
    return host_.load(order) == thread;
  }

  request& request_;
  typename Platform::template atomic<time_point> began_{};
  typename Platform::template atomic<thread_id> host_{};
};

}  // namespace conch::fmq
