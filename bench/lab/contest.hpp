// SPDX-License-Identifier: MIT
#pragma once

#include "adversary.hpp"
#include "echo_server.hpp"
#include "hog.hpp"
#include "turn.hpp"
#include "vain_wakeup_counter.hpp"
#include "wake_counter.hpp"

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

namespace conch::lab {

/// What every thread in a contest is told.
struct part {
  turn::thread self = 0;
  work_unit unit{};
};

/// One lock and the threads' parts in a contest for it. Everything above it need not know the type
/// of the lock, and nothing below it is virtual: the calls that are measured are direct.
class contest {
public:
  contest() = default;
  virtual ~contest() = default;
  contest(const contest&) = delete;
  contest& operator=(const contest&) = delete;

  // Each returns when it has been told to stop, or its connection was.
  virtual account hog(part part, unsigned spacing, const std::atomic<bool>& stop) = 0;
  virtual account play(part part, const adversary& trick, const std::atomic<bool>& stop) = 0;
  virtual echo_tally serve(part part, int connection, unsigned burst) = 0;

  // Nothing for a lock that cannot tell. May be called at any time.
  [[nodiscard]] virtual std::optional<std::uint64_t> vain_wakeups() const = 0;
  [[nodiscard]] virtual std::optional<wake_counts> wakes() const = 0;
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

/// Whether a lock's platform counts wakes.
template <class Lock>
concept counts_wakes = std::same_as<typename Lock::platform, wake_counting_platform>;

template <class Lock>
class contest_for final : public contest {
public:
  account hog(part part, unsigned spacing, const std::atomic<bool>& stop) override {
    return run_hog(participant_for(part), spacing, stop);
  }

  account play(part part, const adversary& trick, const std::atomic<bool>& stop) override {
    return run_adversary(
        trick, [&] { return participant_for(part); }, stop);
  }

  echo_tally serve(part part, int connection, unsigned burst) override {
    return serve_echoes(participant_for(part), connection, burst);
  }

  [[nodiscard]] std::optional<std::uint64_t> vain_wakeups() const override {
    if constexpr (counts_vain_wakeups<Lock>)
      return lock_.observer().count();
    else
      return std::nullopt;
  }

  [[nodiscard]] std::optional<wake_counts> wakes() const override {
    if constexpr (counts_wakes<Lock>)
      return wake_counting_platform::so_far();
    else
      return std::nullopt;
  }

  [[nodiscard]] std::string describe() const override { return lock_.describe(); }

private:
  participant<Lock> participant_for(part part) {
    return participant<Lock>(lock_, turn_, part.self, part.unit);
  }

  mutable Lock lock_;  // asking its observer is not const
};

}  // namespace conch::lab
