// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"
#include "echo_client.hpp"
#include "sockets.hpp"

#include <cstdint>
#include <vector>

namespace conch::lab {

/// How long a client goes on: until the deadline has passed, and it has had so many echoes on each
/// connection.
struct exchange_order {
  clock::time_point deadline;
  std::uint64_t least_requests = 0;
};

/// Sends requests and receives their echoes, one in flight on each connection, as ordered and until
/// the answers to what has been sent by then, or until it is disconnected.
void exchange_messages(const std::vector<descriptor>& connections, const exchange_order& order,
                       client_tally& tally);

}  // namespace conch::lab
