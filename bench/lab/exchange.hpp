// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "echo_client.hpp"
#include "sockets.hpp"

#include <vector>

namespace conch::lab {

/// Sends requests and receives their echoes, one in flight on each connection, until the deadline
/// and the answers to what has been sent by then, or until it is disconnected.
void exchange_messages(const std::vector<descriptor>& connections, clock::time_point deadline,
                       client_tally& tally);

}  // namespace conch::lab
