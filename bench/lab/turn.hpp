// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace conch::lab {

/// Plain data that whoever holds the lock writes, and nobody else: it shows whether the lock
/// excludes, and counts how often it changes hands.
///
/// A holder that goes about its business enters, and leaves before it lets others in. Each is a few
/// instructions on a line that the holder has in its cache.
class alignas(64) turn {
public:
  using thread = int;

  /// Called right after the lock, or a checkpoint, has returned.
  void enter(thread self) noexcept {
    if (inside_ != nobody) broken_ = true;
    inside_ = self;
    entries_ = entries_ + 1;
    if (last_ == self) return;
    last_ = self;
    switches_ = switches_ + 1;
  }

  /// Called right before an unlock or a checkpoint.
  void leave(thread self) noexcept {
    if (inside_ != self) broken_ = true;
    inside_ = nobody;
  }

  // To be asked when all threads have ended.

  /// Two threads were inside at once, or an entry was lost: `entries` is the sum of what each
  /// thread counted for itself.
  [[nodiscard]] bool broken(std::uint64_t entries) const noexcept {
    return broken_ || entries != entries_;
  }
  /// How often a thread entered that was not the last one to.
  [[nodiscard]] std::uint64_t switches() const noexcept { return switches_; }

private:
  static constexpr thread nobody = -1;

  thread inside_ = nobody;
  thread last_ = nobody;
  std::uint64_t entries_ = 0;
  std::uint64_t switches_ = 0;
  bool broken_ = false;
};

}  // namespace conch::lab
