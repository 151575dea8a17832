// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace conch::bench {

/// How long Lua scripts take on one thread under fmq_lock ÷ on a plain Lua state of the same library,
/// with the hook pushed and with it counted, as a table: medians of that many runs by turns.
std::string table_of_lua(int repetitions);

}  // namespace conch::bench
