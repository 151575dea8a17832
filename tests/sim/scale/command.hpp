// SPDX-License-Identifier: MIT
#pragma once

namespace CLI {
class App;
}

namespace conch::sim::scale {

/// Adds `conch-sim scale`: the stress scenario on simulated machines of many cores. When the
/// command line has it, it runs, and `status` is the program's: 0, or 1 if a lock failed.
void add_command(CLI::App& app, int& status);

}  // namespace conch::sim::scale
