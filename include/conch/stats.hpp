// SPDX-License-Identifier: MIT
#pragma once

#include <conch/observer.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace conch {

/// Counts a lock's events. Each event costs one relaxed atomic increment.
class event_counter {
public:
  /// Counts it. Any thread.
  void on_event(lock_event event) noexcept {
    // Relaxed: the counts order nothing, and each stands for itself.
    counts_[static_cast<std::size_t>(event)].fetch_add(1, std::memory_order_relaxed);
  }

  /// How often the event has been reported: a snapshot.
  [[nodiscard]] std::uint64_t operator[](lock_event event) const noexcept {
    return counts_[static_cast<std::size_t>(event)].load(std::memory_order_relaxed);
  }

private:
  std::array<std::atomic<std::uint64_t>, lock_event_count> counts_{};
};

static_assert(lock_observer<event_counter>);

}  // namespace conch
