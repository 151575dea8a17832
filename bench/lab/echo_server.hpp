// SPDX-License-Identifier: MIT
#pragma once

#include "message.hpp"
#include "sockets.hpp"
#include "turn.hpp"

#include <cstdint>

namespace conch::lab {

/// What the echo server did.
struct echo_tally {
  std::uint64_t answered = 0;
  std::uint64_t damaged = 0;  ///< requests that were not what the client sends next
  std::uint64_t entries = 0;  ///< into its turn
};

/// Answers each message with itself until the connection ends. As in an interpreter, the lock is
/// held while the server runs code, and released around each blocking call: twice for each request.
template <class Lock>
echo_tally serve_echoes(Lock& lock, turn& turn, turn::thread self, int connection) {
  echo_tally tally;
  message request;
  bool open = true;
  lock.lock();
  turn.enter(self);
  while (open) {
    turn.leave(self);
    lock.unlock();
    open = receive_object(connection, request);
    lock.lock();
    turn.enter(self);
    ++tally.entries;
    if (!open) break;

    if (!intact(request) || request.sequence != tally.answered) ++tally.damaged;

    turn.leave(self);
    lock.unlock();
    open = send_object(connection, request);
    lock.lock();
    turn.enter(self);
    ++tally.entries;
    if (open) ++tally.answered;
  }
  ++tally.entries;  // the first one
  turn.leave(self);
  lock.unlock();
  return tally;
}

}  // namespace conch::lab
