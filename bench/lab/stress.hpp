// SPDX-License-Identifier: MIT
#pragma once

#include "../common/machine.hpp"
#include "run.hpp"
#include "stress_options.hpp"

#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// What conch-lab stress has measured so far.
struct stress_results {
  measuring_context context;
  std::string workload;
  clock::duration time_per_run{0};
  double baseline_hog_work_per_second = 0;  ///< of one hog without a lock, in units
  std::vector<run_result> runs;
  std::vector<run_result> closing_runs;  ///< hogs of different spacings alone

  /// Requests per second without hogs ÷ beside those of this run; nothing if either is not known,
  /// infinite if hogs starved the echo.
  [[nodiscard]] std::optional<double> convoy_factor(const run_result& run) const;
  /// The work of all hogs ÷ that of one without a lock.
  [[nodiscard]] double relative_hog_work(const run_result& run) const;
  /// What locks did that no lock may, a line each; empty if nothing.
  [[nodiscard]] std::string failures() const;
};

/// Measures, prints, writes. The program's exit status: 0, 1 if a lock failed, 130 if interrupted.
/// Throws usage_error if the file that it is to write cannot be written, before it measures.
int run_stress(const stress_options& options);

}  // namespace conch::lab
