// SPDX-License-Identifier: MIT
#pragma once

namespace conch::bench {

/// Adds every benchmark of every lock, to be run by Google Benchmark.
void add_benchmarks();

}  // namespace conch::bench
