// SPDX-License-Identifier: MIT
#pragma once

#include "../common/cpu_time.hpp"
#include "../common/latency_histogram.hpp"
#include "clock.hpp"
#include "sockets.hpp"

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace conch::lab {

/// The most connections that a client keeps.
inline constexpr std::size_t most_connections = 256;

/// What the echo client saw.
struct client_tally {
  latency_histogram latencies;
  std::uint64_t received = 0;       ///< echoes, all of them
  clock::time_point last_received;  ///< when the last one came
  /// Those that came before the deadline, by connection.
  std::array<std::uint64_t, most_connections> received_in_time{};
  std::uint64_t changed = 0;          ///< echoes that were not what had been sent
  std::uint64_t out_of_sequence = 0;  ///< among these, intact echoes of another request
  bool disconnected = false;          ///< before it had done what it was told
  cpu_time used{0};                   ///< by the client's process
};

/// The client of an echo server, in a process of its own, so that it shares no lock, no CPU time
/// account and no address space with what it measures. It has one thread, and keeps one request in
/// flight on each connection.
class echo_client {
public:
  /// Forks. Preconditions: the calling process has one thread, and there are from one to
  /// most_connections connections. One that is `bound` uses all CPUs but the first. Throws
  /// std::system_error.
  explicit echo_client(std::vector<descriptor_pair>& connections, bool bound = false);
  /// Ends the process at once if it has not ended by itself.
  ~echo_client();
  echo_client(const echo_client&) = delete;
  echo_client& operator=(const echo_client&) = delete;

  /// Lets it send its first requests, and keep on until the deadline has passed and it has had
  /// `least_requests` echoes on each connection, or until it is disconnected.
  void start(clock::time_point deadline, std::uint64_t least_requests = 0) noexcept;

  /// Whether finish() would return at once.
  [[nodiscard]] bool has_ended() const noexcept;

  /// Waits for it to end, as it was told to at its start. Nothing if it
  /// has not reported within `time`.
  std::optional<client_tally> finish(clock::duration time) noexcept;

private:
  descriptor control_;
  ::pid_t process_ = -1;
};

}  // namespace conch::lab
