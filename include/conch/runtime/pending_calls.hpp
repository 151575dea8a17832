// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>

namespace conch {

/// Thrown at a checkpoint where a pending call has failed by what it returned.
class pending_call_failed : public std::exception {
public:
  /// In words.
  [[nodiscard]] const char* what() const noexcept override { return "pending call failed"; }
};

/// A call that a thread which runs is to make at a checkpoint. It fails by throwing.
struct pending_call {
  void (*function)(void* argument) = nullptr;  ///< what is called
  void* argument = nullptr;                    ///< of the function
  /// If not nullptr, what is called in the place of `function`: one that fails by returning anything but
  /// 0, as functions in C do.
  int (*c_function)(void* argument) = nullptr;

  /// Makes the call.
  void operator()() const {
    if (c_function == nullptr)
      function(argument);
    else if (c_function(argument) != 0)
      throw pending_call_failed();
  }
};

/// A bounded queue of calls that any thread adds to and one thread at a time takes from.
///
/// Guarantee   FIFO by place. Adding never blocks, allocates or fails while there is room, and is
///             async-signal-safe. A call whose place is taken but which is not written yet holds back
///             those behind it, not those that add.
/// Algorithm   A ring in which each place has a turn number, which says who may use it next: a
///             producer, if it is the place's position; the consumer, if it is one more.
///             Vyukov, "Bounded MPMC queue", 1024cores.net, with one consumer.
template <class Platform, std::size_t Capacity = 32>
class pending_calls {
  static_assert((Capacity & (Capacity - 1)) == 0, "a power of two");

public:
  static constexpr std::size_t capacity = Capacity;  ///< how many calls may wait

  pending_calls() noexcept { clear(); }
  pending_calls(const pending_calls&) = delete;
  pending_calls& operator=(const pending_calls&) = delete;

  /// Any thread. False if the queue is full.
  [[nodiscard]] bool push(pending_call call) noexcept {
    auto position = tail_.load(std::memory_order_relaxed);
    for (;;) {
      auto& its_place = places_[position % Capacity];
      const auto turn = its_place.turn.load(std::memory_order_acquire);  // pairs with pop()
      if (turn == position) {
        if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          its_place.call = call;
          its_place.turn.store(position + 1, std::memory_order_release);  // pairs with pop()
          return true;
        }
      } else if (static_cast<std::int32_t>(turn - position) < 0) {
        return false;
      } else {
        position = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  /// Precondition, for this and what follows: one thread at a time. False if there is nothing to take.
  [[nodiscard]] bool pop(pending_call& call) noexcept {
    auto& its_place = places_[head_ % Capacity];
    const auto turn = its_place.turn.load(std::memory_order_acquire);  // pairs with push()
    if (turn != head_ + 1) return false;
    call = its_place.call;
    its_place.turn.store(head_ + Capacity, std::memory_order_release);  // pairs with push()
    ++head_;
    return true;
  }

  /// Acquire: as pop().
  [[nodiscard]] bool empty() const noexcept {
    return places_[head_ % Capacity].turn.load(std::memory_order_acquire) != head_ + 1;
  }

  /// Drops all calls. Precondition: no other thread uses the queue.
  void clear() noexcept {
    head_ = 0;
    tail_.store(0, std::memory_order_relaxed);
    for (std::uint32_t i = 0; i < Capacity; ++i)
      places_[i].turn.store(i, std::memory_order_relaxed);
  }

private:
  struct place {
    typename Platform::template atomic<std::uint32_t> turn{0};
    typename Platform::template plain<pending_call> call{};
  };

  std::array<place, Capacity> places_;
  typename Platform::template atomic<std::uint32_t> tail_{0};
  std::uint32_t head_ = 0;
};

}  // namespace conch
