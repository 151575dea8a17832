// SPDX-License-Identifier: MIT
// The program's one file in C++; CONCH_C_LOCK is defined by the build, a lock of its own for each
// program.

#include <conch/conch.hpp>

#include <conch/c/implementation.hpp>
