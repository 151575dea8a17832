// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace conch::testing {

/// How often operator new has been called, in programs that counted_allocations.cpp is part of.
extern std::atomic<std::uint64_t> counted_allocations;

}  // namespace conch::testing
