// SPDX-License-Identifier: MIT
#pragma once

#include "../interrupts.hpp"

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// Starts this program anew with these arguments, and --json, for what must be set before the
/// program has begun. What it wrote as JSON; nothing if it was interrupted. Throws
/// std::runtime_error if it failed.
std::optional<nlohmann::json> run_own_program(std::vector<std::string> arguments,
                                              interrupts& interrupts);

}  // namespace conch::lab
