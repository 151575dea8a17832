// SPDX-License-Identifier: MIT
#pragma once

#include "echo_server.hpp"
#include "hog.hpp"
#include "turn.hpp"
#include "vain_wakeup_counter.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace conch::lab {

/// One lock and the threads' parts in a contest for it. Everything above it need not know the type
/// of the lock, and nothing below it is virtual: the calls that are measured are direct.
class contest {
public:
  contest() = default;
  virtual ~contest() = default;
  contest(const contest&) = delete;
  contest& operator=(const contest&) = delete;

  // Each returns when it has been told to stop, or its connection was.
  virtual hog_tally hog(hog_order order, const std::atomic<bool>& stop) = 0;
  virtual echo_tally serve(turn::thread self, int connection) = 0;

  /// Nothing for a lock that cannot tell. May be called at any time.
  [[nodiscard]] virtual std::optional<std::uint64_t> vain_wakeups() const = 0;
  /// The state of the lock in words, for the moment when it hangs.
  [[nodiscard]] virtual std::string describe() const = 0;
  /// To be asked when all threads have ended.
  [[nodiscard]] const turn& outcome() const noexcept { return turn_; }

protected:
  turn turn_;
};

/// Whether a lock counts vain wake-ups in its observer.
template <class Lock>
concept counts_vain_wakeups = requires(Lock& lock) {
  { lock.observer().count() } -> std::same_as<std::uint64_t>;
};

template <class Lock>
class contest_for final : public contest {
public:
  hog_tally hog(hog_order order, const std::atomic<bool>& stop) override {
    return run_hog(lock_, turn_, order, stop);
  }

  echo_tally serve(turn::thread self, int connection) override {
    return serve_echoes(lock_, turn_, self, connection);
  }

  [[nodiscard]] std::optional<std::uint64_t> vain_wakeups() const override {
    if constexpr (counts_vain_wakeups<Lock>)
      return lock_.observer().count();
    else
      return std::nullopt;
  }

  [[nodiscard]] std::string describe() const override { return lock_.describe(); }

private:
  mutable Lock lock_;  // asking its observer is not const
};

}  // namespace conch::lab
