// SPDX-License-Identifier: MIT
#pragma once

#include "participant.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace conch::lab {

/// A thread that tries to get more of the lock than its share, by letting go of its own accord.
struct adversary {
  std::string name;
  std::string what;         ///< it does, in words
  clock::duration hold{0};  ///< for how long it holds the lock, as far as it is let
  clock::duration away{0};  ///< for how long it then sleeps
  bool fresh_threads = false;
};

/// All that there are.
const std::vector<adversary>& all_adversaries();

/// Takes the lock, works until it has held it for `time` or is told to stop, and lets go.
template <class Lock>
void hold_once(participant<Lock>& self, clock::duration time, const std::atomic<bool>& stop) {
  self.acquire();
  const auto enough = self.held() + time;
  while (self.held() < enough && !stop.load(std::memory_order_relaxed)) self.work(1);
  self.release();
}

/// Plays the trick, once at the least, until told to stop. make_participant() makes the participant
/// of a new thread.
template <class MakeParticipant>
account run_adversary(const adversary& trick, MakeParticipant make_participant,
                      const std::atomic<bool>& stop) {
  const auto told_to_stop = [&] { return stop.load(std::memory_order_relaxed); };
  if (trick.fresh_threads) {
    account all;
    do {
      std::thread([&] {
        auto self = make_participant();
        hold_once(self, trick.hold, stop);
        all += self.account();
      }).join();
    } while (!told_to_stop());
    return all;
  }
  auto self = make_participant();
  do {
    hold_once(self, trick.hold, stop);
    if (trick.away > clock::duration::zero()) std::this_thread::sleep_for(trick.away);
  } while (!told_to_stop());
  return self.account();
}

}  // namespace conch::lab
