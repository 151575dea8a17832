// SPDX-License-Identifier: MIT
#pragma once

namespace conch::bench {

/// Adds the benchmarks of the machine itself.
void add_yardsticks();

}  // namespace conch::bench
