// SPDX-License-Identifier: MIT
#pragma once

#include "stress.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace conch::lab {

// Each returns lines that end with a newline.

std::string header(const stress_results& results);
std::string column_titles();
std::string row(const stress_results& results, const run_result& run);
/// The convoy factors of one lock; empty if there are none.
std::string convoy_line(const stress_results& results, const std::string& lock);

std::string hogs_alone_titles(const run_plan& plan);
std::string hogs_alone_row(const stress_results& results, const run_result& run);

/// What there is to say of connections and adversaries; empty if nothing.
std::string detail_line(const run_result& run);

std::string failure_lines(const run_result& run);
std::string legend();

nlohmann::ordered_json to_json(const stress_results& results);

}  // namespace conch::lab
