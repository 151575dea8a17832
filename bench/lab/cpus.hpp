// SPDX-License-Identifier: MIT
#pragma once

namespace conch::lab {

/// Restricts the calling thread, and all that it starts, to the first so many of the CPUs that it
/// may use. To be called before any lock is used: locks spin on several CPUs only. Throws
/// std::system_error.
void use_only(unsigned cpus);

/// Restricts the calling thread, and all that it starts, to the CPUs that use_only(1) leaves out. Precondition:
/// it may use several. Throws std::system_error.
void use_all_but_first();

}  // namespace conch::lab
