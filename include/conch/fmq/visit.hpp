// SPDX-License-Identifier: MIT
#pragma once

#include <conch/drop_request.hpp>

#include <atomic>
#include <cstdint>

namespace conch::fmq {

// clang-format off
/// How a holder that is due lets in a waiter that has credit and spins: it lends the lock, spins until
/// it is back, and goes on. Once the guest is invited, neither of the two takes the guard for a visit: the holder
/// stops for little more than what its guest does with the lock, and the guest comes again without queueing.
///
///   none      There is no guest.
///   offered   The guest spins, and the holder is asked.
///   lent      The lock is the guest's. The holder, now its host, spins.
///   invited   The guest is elsewhere, and may come again.
///   kept      The guest has the lock for good, and its host is being made a waiter.
///
///   none → offered            with the guard, by the guest: the best of the waiters, to which the holder
///                             is due, leaves the queue
///   offered → invited         by the guest, about to queue again
///   offered → lent            by the holder at a checkpoint; the request is met in the same step
///   lent → invited            by the guest that releases the lock
///   invited → offered         by the guest
///   invited, offered → none   with the guard, by whoever has just taken it
///   lent → kept → none        the same; the guest becomes the holder
///
/// So whoever has the guard finds no visit. In all stages but none the holder, or host, is known, and so its
/// release goes through the guard.
///
/// A guest takes the only seat for spinning while it offers. Nobody else can be invited meanwhile, so that one who
/// offers again does not take another one's invitation for its own. Then it leaves the seat, since every step of a
/// visit costs its host: who sits down without the guard looks for a visit, and gets up again if there is one.
///
/// The stage shares a word with the drop request, which stands in `offered`, and for other reasons in `none` alone:
/// the holder cannot clear such a one unseen.
///
/// Orders: the lock passes with lent and comes back with invited. Each of the two is a release, and
/// whoever sees it, or a step after it, acquires.
///
/// What host and guest tell each other is all here, on one line of the cache with the request, and they
/// change nothing else of the lock that the other looks at.
// clang-format on
template <class Platform>
class visit {
public:
  using request = drop_request<Platform>;
  using thread_id = typename Platform::thread_id;

  constexpr explicit visit(request& asks) noexcept : request_(asks) {}

  // Without the guard, by the holder and host ----------------------------------------------------

  /// Acquire: pairs with offer(), so that the host is seen with it.
  [[nodiscard]] bool is_offered_to(thread_id holder) const noexcept {
    return stage(std::memory_order_acquire) == offered && is_host(holder);
  }

  /// False if it is not offered any more. Release: pairs with is_lent_to().
  bool lend() noexcept {
    request_.clear_mirror();
    return change(offered | request::asked, lent, std::memory_order_release);
  }

  /// Relaxed: whoever sees the end of it looks at what end that was, by is_back_with() or under the
  /// guard.
  [[nodiscard]] bool is_under_way() const noexcept { return stage() == lent; }

  /// Whether the host holds the lock again: the guest has given it back, and perhaps offers again. Another
  /// host's visit is not taken for its own, and it has no other itself: one who was made a waiter must
  /// have come back from here before a visit is offered to it again. Acquire: pairs with give_back().
  [[nodiscard]] bool is_back_with(thread_id host) const noexcept {
    const auto now = stage(std::memory_order_acquire);
    return (now == invited || now == offered) && is_host(host);
  }

  // Without the guard, by the guest --------------------------------------------------------------

  /// False if the caller is not invited, or not any more. Precondition: it has the seat, which orders whom it
  /// sees invited. Release: as offer().
  bool offer_again(thread_id guest) noexcept {
    if (!is_guest(guest) || !change(invited, offered | request::asked, std::memory_order_release))
      return false;
    request_.raise_mirror();
    return true;
  }

  /// Relaxed: whoever sees the end of it goes on to withdraw() and is_lent_to().
  [[nodiscard]] bool is_offered() const noexcept { return stage() == offered; }

  /// False if it is not offered any more. Relaxed: nothing has passed. Where it has long been called off, it
  /// may be another one's offer: that one finds it called off too. It looks first, as a step that fails would
  /// still take the line of the cache from the host.
  bool withdraw() noexcept {
    return is_offered() && change(offered | request::asked, invited, std::memory_order_relaxed);
  }

  /// By the guest that releases the lock; it touches nothing of it after that without the guard, as the lock
  /// may be gone. False if it has become the holder. Release: pairs with is_back_with() and end().
  bool give_back() noexcept { return change(lent, invited, std::memory_order_release); }

  // Without the guard, by anybody ----------------------------------------------------------------

  /// Whether a guest or its host spins for the lock. Relaxed: the seat orders it, where the caller has just
  /// taken that.
  [[nodiscard]] bool is_going_on() const noexcept {
    const auto now = stage();
    return now != none && now != invited;
  }

  /// A guess. Relaxed: offer_again() looks again.
  [[nodiscard]] bool is_invited(thread_id thread) const noexcept {
    return stage() == invited && is_guest(thread);
  }

  /// The stage first, and acquire: pairs with lend(), so that the guest of that visit is seen. And then the guest,
  /// which pairs with offer(), so that one that has stayed, and sees who is the next, sees that it is the owner.
  [[nodiscard]] bool is_lent_to(thread_id thread) const noexcept {
    return is_inside() && is_guest(thread, std::memory_order_acquire);
  }

  /// The host first, and acquire: pairs with offer(), so that who is the host of the next visit does not
  /// see the stage of one before. And then the stage, which pairs with settle() too, so that a host that has
  /// become a waiter is not taken for the owner.
  [[nodiscard]] bool is_lent_by(thread_id thread) const noexcept {
    return is_host(thread, std::memory_order_acquire) && is_inside();
  }

  // With the guard -------------------------------------------------------------------------------

  /// True if the holder had not been asked before. Precondition: there is no visit. Release: pairs with
  /// is_offered_to().
  bool offer(thread_id holder, thread_id guest) noexcept {
    guest_.store(guest, std::memory_order_release);  // pairs with is_lent_to()
    host_.store(holder, std::memory_order_release);  // pairs with is_lent_by()
    return request_.raise_with(offered, std::memory_order_release);
  }

  enum class found : unsigned char {
    nobody,
    invitation,  ///< which is no more
    guest,       ///< which keeps the lock; settle() is to follow
  };

  /// Ends the visits. Acquire: pairs with give_back(), and with lend().
  found end() noexcept {
    for (;;) {
      const auto seen = request_.bits().load(std::memory_order_relaxed);
      const auto was = seen & ~request::asked;
      if (was == none) return found::nobody;
      if (change(seen, was == lent ? kept : none, std::memory_order_acquire))
        return was == lent ? found::guest : found::invitation;
    }
  }

  /// The guest is the owner. Release: pairs with is_lent_by() and is_lent_to().
  void settle() noexcept { request_.bits().store(none, std::memory_order_release); }

private:
  static constexpr std::uint32_t none = 0 << 1;
  static constexpr std::uint32_t offered = 1 << 1;
  static constexpr std::uint32_t lent = 2 << 1;
  static constexpr std::uint32_t invited = 3 << 1;
  static constexpr std::uint32_t kept = 4 << 1;

  std::uint32_t stage(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return request_.bits().load(order) & ~request::asked;
  }

  bool is_inside() const noexcept {
    const auto now = stage(std::memory_order_acquire);
    return now == lent || now == kept;
  }

  bool change(std::uint32_t from, std::uint32_t to, std::memory_order order) noexcept {
    return request_.bits().compare_exchange_strong(from, to, order, std::memory_order_relaxed);
  }

  /// Relaxed, as is_guest(): where the stage is seen first, or the caller has the seat, that orders it.
  bool is_host(thread_id thread,
               std::memory_order order = std::memory_order_relaxed) const noexcept {
    return host_.load(order) == thread;
  }
  bool is_guest(thread_id thread,
                std::memory_order order = std::memory_order_relaxed) const noexcept {
    return guest_.load(order) == thread;
  }

  request& request_;
  typename Platform::template atomic<thread_id> host_{};
  typename Platform::template atomic<thread_id> guest_{};
};

}  // namespace conch::fmq
