// SPDX-License-Identifier: MIT
#pragma once

#include "message.hpp"
#include "participant.hpp"
#include "sockets.hpp"

#include <cstdint>

namespace conch::lab {

/// What one thread of the echo server did.
struct echo_tally {
  std::uint64_t answered = 0;
  std::uint64_t damaged = 0;  ///< requests that were not what the client sends next
  lab::account account;
};

/// Answers each message of one connection with itself until the connection ends. As in an
/// interpreter, the lock is held while the server runs code, which here is a check of the message
/// and `burst` units of work, and released around each blocking call: twice for each request.
template <class Lock>
echo_tally serve_echoes(participant<Lock> self, int connection, unsigned burst) {
  echo_tally tally;
  message request;
  bool open = true;
  self.acquire();
  while (open) {
    self.release();
    open = receive_object(connection, request);
    self.acquire();
    if (!open) break;

    if (!intact(request) || request.sequence != tally.answered) ++tally.damaged;
    for (unsigned done = 0; done < burst; ++done) self.work(1);

    self.release();
    open = send_object(connection, request);
    self.acquire();
    if (open) ++tally.answered;
  }
  self.release();
  tally.account = self.account();
  return tally;
}

}  // namespace conch::lab
