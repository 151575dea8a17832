// SPDX-License-Identifier: MIT
#pragma once

#include "../common/machine.hpp"
#include "peer_run.hpp"
#include "peers_options.hpp"
#include "runtimes.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conch::lab {

/// A lock or a runtime, and what was measured of it so far.
struct peer {
  explicit peer(std::string peer_name) : name(std::move(peer_name)) {}

  std::string name;
  std::optional<double> work_of_one_hog_alone;  ///< per second, without the echo
  std::vector<peer_figures> runs;
  std::string failure;  ///< why there are no more; empty if nothing went wrong

  /// Nothing if there was none.
  [[nodiscard]] const peer_figures* run_beside(unsigned hogs) const;
  /// Requests per second without hogs ÷ beside so many; nothing if either is not known, infinite if
  /// hogs starved the echo.
  [[nodiscard]] std::optional<double> convoy_factor(unsigned hogs) const;
  /// The work of so many hogs beside the echo ÷ that of one hog alone.
  [[nodiscard]] std::optional<double> relative_hog_work(unsigned hogs) const;
  /// How many CPUs other programs kept busy in that run in which they did most.
  [[nodiscard]] double most_cpus_used_by_others() const;
};

/// What conch-lab peers has measured so far.
struct peers_results {
  measuring_context context;
  clock::duration time_per_run{0};
  std::vector<unsigned> numbers_of_hogs;
  std::vector<peer> peers;
  std::vector<unusable_runtime> skipped;

  /// The requests per second of fmq_lock ÷ those of a peer; nothing if either is not known,
  /// infinite if hogs starved the peer's echo.
  [[nodiscard]] std::optional<double> lead_of_fmq_lock(const peer& other, unsigned hogs) const;
};

/// Measures, prints, writes. The program's exit status: 0, 1 if a peer failed, 130 if interrupted.
/// Throws usage_error if the file that it is to write cannot be written, before it measures.
int run_peers(const peers_options& options);

}  // namespace conch::lab
