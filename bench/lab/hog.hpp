// SPDX-License-Identifier: MIT
#pragma once

#include "participant.hpp"

#include <atomic>

namespace conch::lab {

/// A CPU-bound thread: works, and never lets go but at checkpoints, which are `spacing` units of
/// work apart, until it is told to stop.
template <class Lock>
account run_hog(participant<Lock> self, unsigned spacing, const std::atomic<bool>& stop) {
  self.acquire();
  while (!stop.load(std::memory_order_relaxed))  // pairs with nothing: it is only seen, in time
    self.work(spacing);
  self.release();
  return self.account();
}

}  // namespace conch::lab
