// SPDX-License-Identifier: MIT
#pragma once

#include <conch/observer.hpp>

#include <atomic>
#include <cstdint>

namespace conch::lab {

/// Counts how often a thread was woken for a lock that another one had by then. Unlike
/// conch::event_counter it does nothing at all on the other events, most of which are on the path
/// that is being measured.
class vain_wakeup_counter {
public:
  void on_event(lock_event event) noexcept {
    // Relaxed, here and below: a count, which orders nothing.
    if (event == lock_event::vain_wakeup || event == lock_event::stolen)
      count_.fetch_add(1, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint64_t count() const noexcept {
    return count_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> count_{0};
};

static_assert(lock_observer<vain_wakeup_counter>);

}  // namespace conch::lab
