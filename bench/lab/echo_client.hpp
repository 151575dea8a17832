// SPDX-License-Identifier: MIT
#pragma once

#include "../common/cpu_time.hpp"
#include "../common/latency_histogram.hpp"
#include "clock.hpp"
#include "sockets.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace conch::lab {

/// What the echo client saw.
struct client_tally {
  latency_histogram latencies;
  std::uint64_t received = 0;          ///< echoes, all of them
  std::uint64_t received_in_time = 0;  ///< those that came before the deadline
  clock::time_point last_received;     ///< when the last one came
  std::uint64_t changed = 0;           ///< echoes that were not what had been sent
  std::uint64_t out_of_sequence = 0;   ///< among these, intact echoes of another request
  bool disconnected = false;           ///< before it had done what it was told
  cpu_time used{0};                    ///< by the client's process
};

/// The client of an echo server, in a process of its own, so that it shares no lock, no CPU time
/// account and no address space with what it measures. It keeps one request in flight.
class echo_client {
public:
  /// Forks. Precondition: the calling process has one thread. Throws std::system_error.
  explicit echo_client(descriptor_pair& connection);
  /// Ends the process at once if it has not ended by itself.
  ~echo_client();
  echo_client(const echo_client&) = delete;
  echo_client& operator=(const echo_client&) = delete;

  /// Lets it send its first request, and keep on until the deadline has passed and it has had
  /// `least_requests` echoes, or until it is disconnected.
  void start(clock::time_point deadline, std::uint64_t least_requests = 0) noexcept;

  /// Whether finish() would return at once.
  [[nodiscard]] bool has_ended() const noexcept;

  /// Waits for it to end, as it was told to at its start. Nothing if it
  /// has not reported by `patience` from now.
  std::optional<client_tally> finish(clock::duration patience) noexcept;

private:
  descriptor control_;
  ::pid_t process_ = -1;
};

}  // namespace conch::lab
