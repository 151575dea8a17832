// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace conch::bench {

/// What the runtime's regions and checkpoints cost a thread that nobody waits for, over each lock, and
/// that ÷ the lock's own lock and unlock, as a table: medians of that many runs of each in turns.
std::string table_of_costs(int repetitions);

}  // namespace conch::bench
