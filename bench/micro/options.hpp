// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace conch::bench {

/// How much time goes into what.
struct pace {
  /// Rounds of each row, in each of which every lock is measured once.
  unsigned rounds = 3;
  std::chrono::duration<double> alone{0.05};  ///< of what one thread does, at least
  std::chrono::milliseconds contended{100};   ///< of few threads, for each of two measurements
  std::chrono::milliseconds handoffs{150};
  std::chrono::milliseconds passing{100};
  std::chrono::milliseconds counting_futex_calls{40};

  /// Many threads on few CPUs need longer till all have had their turns.
  [[nodiscard]] std::chrono::milliseconds contended_by(unsigned threads) const noexcept {
    return contended + contended * threads / 16;
  }

  static pace quick();
};

/// The command line. What is not for this program is for Google Benchmark.
struct options {
  bool help = false;
  bool list_only = false;
  bool machine = false;  ///< the machine itself instead of locks
  std::string error;     ///< empty if the options of this program are right
  bench::pace pace;
  std::string json;  ///< where Google Benchmark is to write; empty if nowhere
  std::vector<char*> for_google_benchmark;
};

options parse(int argc, char** argv);

/// What --help prints.
std::string help_text();

}  // namespace conch::bench
