// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace conch {

/// The signals that have arrived and were not taken yet: a flag for each number from 1 to 64, so that
/// two of one number before it is taken are one, as POSIX has it.
template <class Platform>
class arrived_signals {
public:
  static constexpr int most = 64;  ///< the highest number

  /// Any thread; async-signal-safe. Release: pairs with take().
  void add(int signo) noexcept {
    const auto index = static_cast<unsigned>(signo) - 1;
    words_[index / 32].fetch_or(std::uint32_t{1} << index % 32, std::memory_order_release);
  }

  /// Takes the one with the lowest number, and returns it; 0 if there is none. Acquire: pairs with
  /// add().
  [[nodiscard]] int take() noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      const auto seen = words_[i].load(std::memory_order_relaxed);
      if (seen == 0) continue;
      words_[i].fetch_and(~(seen & (~seen + 1)), std::memory_order_acquire);
      return static_cast<int>(i) * 32 + std::countr_zero(seen) + 1;
    }
    return 0;
  }

  /// Whether there is one: a snapshot.
  [[nodiscard]] bool any() const noexcept {
    for (const auto& word : words_)
      if (word.load(std::memory_order_relaxed) != 0) return true;
    return false;
  }

  /// Forgets all. No other thread may use it meanwhile.
  void clear() noexcept {
    for (auto& word : words_) word.store(0, std::memory_order_relaxed);
  }

private:
  std::array<typename Platform::template atomic<std::uint32_t>, 2> words_{};
};

}  // namespace conch
