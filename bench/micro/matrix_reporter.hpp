// SPDX-License-Identifier: MIT
#pragma once

#include "../common/terminal.hpp"
#include "matrix.hpp"
#include "results.hpp"

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace conch::bench {

/// Keeps what is measured, and says on standard error how far it is: on a terminal in one line, and
/// otherwise in one line for each row.
class matrix_reporter : public benchmark::BenchmarkReporter {
public:
  explicit matrix_reporter(std::vector<planned_benchmark> planned);

  bool ReportContext(const Context& context) override;
  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override { progress_.clear(); }

  [[nodiscard]] const results& measured() const noexcept { return measured_; }
  /// Whether anything could not be measured, other than for a Ctrl-C.
  [[nodiscard]] bool failed() const noexcept { return failed_; }

private:
  using clock = std::chrono::steady_clock;

  void remember(const Run& run);
  void show_progress();

  std::vector<planned_benchmark> planned_;
  std::size_t done_ = 0;
  std::chrono::duration<double> planned_time_{0};
  std::chrono::duration<double> planned_time_done_{0};
  clock::time_point start_;
  lab::progress_line progress_;
  results measured_;
  bool failed_ = false;
};

/// Google Benchmark's JSON, without what Ctrl-C kept from being measured.
class matrix_json : public benchmark::JSONReporter {
public:
  void ReportRuns(const std::vector<Run>& runs) override;
};

}  // namespace conch::bench
