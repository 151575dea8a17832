// SPDX-License-Identifier: MIT
#pragma once

#include "peers.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace conch::lab {

// Each returns lines that end with a newline.

std::string header(const peers_results& results);
/// What is not measured, and why; empty if there is nothing.
std::string skipped_lines(const peers_results& results);
std::string column_titles(const peers_results& results);
std::string row(const peers_results& results, const peer& peer);
/// Empty if nothing went wrong.
std::string failure_line(const peer& peer);
/// What the columns of the table mean.
std::string legend_of_peers();

nlohmann::ordered_json to_json(const peers_results& results);

}  // namespace conch::lab
