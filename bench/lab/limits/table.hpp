// SPDX-License-Identifier: MIT
#pragma once

#include "limits.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace conch::lab {

// Each returns lines that end with a newline.

std::string header(const limits_results& results);
std::string table(const limits_results& results);
/// What is wrong with the results, for the error stream; empty if nothing.
std::string summary(const limits_results& results);

nlohmann::ordered_json to_json(const limits_results& results);

}  // namespace conch::lab
