// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

namespace conch::bench {

/// Prints the median of each benchmark's repetitions, and at the end how each lock's compares with
/// that of std::mutex, which was measured in the same minute on the same machine.
///
/// A benchmark is named kind/lock, or kind/lock/more: what it is compared with has std::mutex in
/// the place of the lock.
class ratio_reporter : public benchmark::ConsoleReporter {
public:
  ratio_reporter() : ConsoleReporter(OO_Tabular) {}

  void ReportRuns(const std::vector<Run>& runs) override;
  void Finalize() override;

private:
  /// What was measured of a benchmark; kind + lock + more is its name.
  struct median {
    std::string kind;
    std::string lock;
    std::string more;
    double time;  // per iteration, in the benchmark's own unit
  };

  void remember(const Run& run);
  [[nodiscard]] const median* of_std_mutex(const median& other) const;

  std::vector<median> medians_;
};

}  // namespace conch::bench
