// SPDX-License-Identifier: MIT
#include "adversary.hpp"

namespace conch::lab {

const std::vector<adversary>& all_adversaries() {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  static const std::vector<adversary> adversaries{
      {.name = "third",
       .what = "wants the lock for a third of the time, for ever",
       .hold = milliseconds(3),
       .away = milliseconds(6)},
      // An fmq_lock asks a hog beside equals to let go after 3.75 ms: its quantum of 5 ms less what
      // its alarms may be late.
      {.name = "early",
       .what = "lets go just before its quantum ends, and asks again at once",
       .hold = microseconds(3'600)},
      {.name = "fresh",
       .what = "starts a fresh thread for every millisecond of work",
       .hold = milliseconds(1),
       .fresh_threads = true}};
  return adversaries;
}

}  // namespace conch::lab
