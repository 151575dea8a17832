// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>

#include <cstddef>
#include <mutex>
#include <string>

namespace conch::lab {

/// What a program without conch has: a std::mutex, let go and taken again at each checkpoint.
class std_mutex {
public:
  static constexpr lock_traits traits{
      .name = "std::mutex", .fairness = fairness::none, .checkpoint_switches = true};

  void lock() {
    mutex_.lock();
    ++acquisitions_;
  }
  void unlock() { mutex_.unlock(); }

  /// True if another thread had it in between.
  bool checkpoint() {
    const auto before = acquisitions_;
    unlock();
    lock();
    return acquisitions_ != before + 1;
  }

  [[nodiscard]] static std::string describe() { return traits.name; }

private:
  std::mutex mutex_;
  std::size_t acquisitions_ = 0;  // written by holders alone
};

/// No lock at all, for the one hog that all others are compared with.
class no_lock {
public:
  static constexpr lock_traits traits{
      .name = "no lock", .fairness = fairness::none, .checkpoint_switches = true};

  static void lock() noexcept {}
  static void unlock() noexcept {}
  static bool checkpoint() noexcept { return false; }
  [[nodiscard]] static std::string describe() { return traits.name; }
};

}  // namespace conch::lab
