// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>  // CONCH_SHARED

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>  // nothrow

namespace conch::fmq {

/// Where a thread stands with a lock.
enum class wait_state : std::uint8_t {
  outside,  ///< does not wait; may hold the lock
  waiting,  ///< queues, and sleeps or is about to
  heir,     ///< queues; was woken for a free lock and will try to take it
  called,   ///< queues; was woken by a holder that will lend it the lock
  granted,  ///< has left the queue and holds the lock, but has not noticed yet
};

/// Names a lock for as long as it lives: an index that is used again after the lock's end, and a
/// generation that never is.
struct lock_id {
  std::uint32_t index = 0;
  std::uint64_t generation = 0;  ///< 0 is no lock

  friend constexpr bool operator==(const lock_id&, const lock_id&) = default;
};

template <class Platform>
class CONCH_SHARED thread_records;

/// What a lock knows of one thread. It lives in the thread's own table; the lock points to it only
/// while the thread holds the lock or waits for it, or may come again as a guest, when nobody looks there, and
/// others touch it only under the lock's internal mutex. Without that its own thread watches `state`, and keeps
/// its accounts as a guest and as a host.
template <class Platform>
struct record {
  struct link {
    record* before = nullptr;
    record* after = nullptr;
  };
  static constexpr std::uint8_t unqueued = 0xff;

  typename Platform::template atomic<wait_state> state{wait_state::outside};
  typename Platform::template plain<std::uint8_t> place{unqueued};  ///< see service_queue
  typename Platform::template plain<unsigned> lost_tries{0};        ///< as an heir, in this wait
  typename Platform::template plain<typename Platform::time_point> first_lost{};
  typename Platform::template plain<typename Platform::time_point> waiting_since{};
  typename Platform::template plain<typename Platform::duration> virtual_time{};
  typename Platform::template plain<typename Platform::duration>
      newcomer_until{};  ///< see schedule

  // As a guest, see visit.hpp. Its thread's alone, but for the last, at which the lock looks if it stays.
  typename Platform::template plain<typename Platform::duration> visits_left{};  ///< in time held
  typename Platform::template plain<typename Platform::time_point> visits_until{};
  typename Platform::template atomic<typename Platform::time_point> came_at{};

  // As a host: how long it has lent the lock in all, which its thread counts, and how much of that it
  // has been excused from paying.
  typename Platform::template atomic<typename Platform::duration> lent_for{};
  typename Platform::template plain<typename Platform::duration> excused{};

  link by_level;  ///< in its level's queue
  link by_age;    ///< in the order of arrival
  thread_records<Platform>* thread = nullptr;
  typename Platform::thread_id owner{};
  lock_id lock;  ///< whose record this is
};

/// The records of one thread, a slot per lock index, and its place to sleep. The first few slots
/// are part of the table; the others are allocated in blocks, each twice as large as the one
/// before, which never move and live until the thread ends.
template <class Platform>
class CONCH_SHARED thread_records {
public:
  using record = fmq::record<Platform>;

  static thread_records& current() noexcept {
    return Platform::template of_this_thread<thread_records>();
  }

  /// The calling thread's record for a lock. Allocates at the thread's first use of an index past
  /// the first few, and ends the program where there is no memory. O(1).
  record& of(lock_id lock) noexcept {
    record& slot = slot_of(lock.index);
    if (slot.lock != lock) {  // a lock that this slot served before has gone
      slot.lock = lock;
      slot.owner = Platform::this_thread();
      slot.thread = this;
      slot.virtual_time = never_seen;
      slot.visits_left = slot.excused = Platform::duration::zero();
      slot.lent_for.store(Platform::duration::zero(), std::memory_order_relaxed);
    }
    return slot;
  }

  /// The virtual time of a thread that is new to a lock.
  static constexpr auto never_seen = Platform::duration::min();

  typename Platform::parker sleeper;
  typename Platform::template atomic<bool> interrupted{false};

  void at_thread_exit() noexcept {
    for (auto& block : blocks_) {
      delete[] block;
      block = nullptr;
    }
  }

private:
  static constexpr std::uint32_t first_count = 4;

  record& slot_of(std::uint32_t index) noexcept {
    if (index < first_count) return first_[index];
    const auto block = static_cast<unsigned>(std::bit_width(index / first_count)) - 1;
    const auto count = first_count << block;  // block 0 has indices 4 to 7, block 1 has 8 to 15
    if (blocks_[block] == nullptr) {
      blocks_[block] = new (std::nothrow) record[count];
      if (blocks_[block] == nullptr)
        Platform::die("conch: fmq_lock: no memory for a thread's record");
      Platform::template watch_thread_exit<thread_records>();
    }
    return blocks_[block][index - count];
  }

  std::array<record, first_count> first_{};
  std::array<record*, 30> blocks_{};
};

/// Hands out lock ids: a bitmap of the indices in use, in blocks that are added and never taken
/// away. Lock-free, so that a fork in the middle leaves it whole.
template <class Platform>
class CONCH_SHARED lock_ids {
public:
  static lock_id take() noexcept {
    auto& ids = Platform::template of_this_process<lock_ids>();
    // Relaxed, here and below: an id is unique because each step is one read-modify-write, and what
    // a record holds is ordered by the mutex of the lock that uses it.
    const auto generation = ids.generations_.fetch_add(1, std::memory_order_relaxed) + 1;
    std::uint32_t index = 0;
    for (block* b = &ids.first_;; b = b->successor())
      for (auto& bits : b->used) {
        auto seen = bits.load(std::memory_order_relaxed);
        while (seen != ~std::uint64_t{0}) {
          const auto bit = static_cast<std::uint32_t>(std::countr_one(seen));
          const auto taken = seen | std::uint64_t{1} << bit;
          if (bits.compare_exchange_weak(seen, taken, std::memory_order_relaxed))
            return {index + bit, generation};
        }
        index += 64;
      }
  }

  static void give_back(lock_id id) noexcept {
    block* b = &Platform::template of_this_process<lock_ids>().first_;
    auto index = id.index;
    for (; index >= block::ids; index -= block::ids) b = b->successor();
    b->used[index / 64].fetch_and(~(std::uint64_t{1} << index % 64), std::memory_order_relaxed);
  }

private:
  struct block {
    static constexpr std::uint32_t ids = 1024;
    std::array<typename Platform::template atomic<std::uint64_t>, ids / 64> used{};
    typename Platform::template atomic<block*> next{nullptr};

    block* successor() noexcept {
      auto* found = next.load(std::memory_order_acquire);  // pairs with the exchange below
      if (found != nullptr) return found;
      auto* added = new (std::nothrow) block;
      if (added == nullptr) Platform::die("conch: fmq_lock: no memory for a lock's id");
      if (next.compare_exchange_strong(found, added, std::memory_order_release,
                                       std::memory_order_acquire))  // pairs with the load above
        return added;
      delete added;
      return found;
    }
  };

  typename Platform::template atomic<std::uint64_t> generations_{0};
  block first_;
};

}  // namespace conch::fmq
