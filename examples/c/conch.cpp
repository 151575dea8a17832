// SPDX-License-Identifier: MIT
// All that an interpreter in C needs in C++: the functions of conch/c/conch.h over one lock.

#include <conch/fmq_lock.hpp>

#define CONCH_C_LOCK conch::fmq_lock
#include <conch/c/implementation.hpp>
