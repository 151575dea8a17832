// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace conch::bench {

/// How long a signal takes to have its handler run, while the main thread waits for the end of others
/// and these compute; and whether it runs at all where the wait cannot be interrupted, as in CPython 2.
/// As a table.
std::string table_of_interrupts(int tries, unsigned hogs);

}  // namespace conch::bench
