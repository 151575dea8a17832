// SPDX-License-Identifier: MIT
#pragma once

#include "../../common/machine.hpp"
#include "figure.hpp"
#include "limits_options.hpp"

#include <string>
#include <vector>

namespace conch::lab {

/// What conch-lab limits has measured so far.
struct limits_results {
  measuring_context context{};
  std::string lock{};
  clock::duration time_per_run{0};
  unsigned repetitions = 0;  ///< to do
  std::vector<limit> limits{};
  double cpus_used_by_others = 0;  ///< at the worst, in a run
  std::string failure{};           ///< what the lock did that no lock may; empty if nothing
  bool interrupted = false;

  /// The program's exit status: 0, 1 if a bound is missed or the lock failed, 130 if interrupted.
  [[nodiscard]] int status() const;
};

/// Measures, prints, writes; the exit status. Throws usage_error if the file that it is to write
/// cannot be written, before it measures.
int run_limits(const limits_options& options);

}  // namespace conch::lab
