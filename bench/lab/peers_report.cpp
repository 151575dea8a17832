// SPDX-License-Identifier: MIT
#include "peers_report.hpp"

#include "../common/terminal.hpp"
#include "figures.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace conch::lab {

namespace {

using json = nlohmann::ordered_json;  // in the order in which it is written here

constexpr int name_width = 20;

/// Columns under one title, one for each number of hogs.
struct column_group {
  std::string title;
  std::size_t width;  ///< of each column
  std::vector<unsigned> hogs;
  std::string (*cell)(const peers_results& results, const peer& peer, unsigned hogs);
};

/// 5.1, 124, 17,791; with a star if the run was cut short.
std::string rate_cell(const peers_results& results, const peer& peer, unsigned hogs) {
  const auto* const run = peer.run_beside(hogs);
  if (run == nullptr) {
    const bool failed_here = !peer.failure.empty() &&
                             peer.runs.size() < results.numbers_of_hogs.size() &&
                             results.numbers_of_hogs[peer.runs.size()] == hogs;
    return failed_here ? "failed" : std::string(nothing);
  }
  const auto rate = run->requests_per_second;
  return (rate < 10 ? fmt::format("{:.1f}", rate) : grouped(rate)) + (run->cut_short ? "*" : "");
}

std::string ratio_cell(const std::optional<double>& ratio) {
  return ratio ? factor(*ratio) : std::string(nothing);
}

std::string convoy_cell(const peers_results&, const peer& peer, unsigned hogs) {
  return ratio_cell(peer.convoy_factor(hogs));
}

std::string lead_cell(const peers_results& results, const peer& peer, unsigned hogs) {
  return ratio_cell(results.lead_of_fmq_lock(peer, hogs));
}

std::string work_cell(const peers_results&, const peer& peer, unsigned hogs) {
  return ratio_cell(peer.relative_hog_work(hogs));
}

std::vector<column_group> groups_of(const peers_results& results) {
  auto some = results.numbers_of_hogs;
  std::erase(some, 0U);
  std::vector<column_group> groups{{"requests/s", 8, results.numbers_of_hogs, rate_cell}};
  if (some.empty()) return groups;
  groups.push_back({"convoy factor", 7, some, convoy_cell});
  groups.push_back({"fmq_lock ÷ it", 7, some, lead_cell});
  groups.push_back({"hog work ÷ one's", 5, some, work_cell});
  return groups;
}

/// As wide as its columns with a space before each, or as its title.
std::size_t width_of(const column_group& group) {
  return std::max(group.hogs.size() * (group.width + 1), display_width(group.title) + 1);
}

std::string padded(const std::string& text, std::size_t width) {
  return std::string(width - std::min(width, display_width(text)), ' ') + text;
}

std::string cells_in_group(const column_group& group, const std::vector<std::string>& cells) {
  std::string text;
  for (const auto& cell : cells) text += padded(cell, group.width + 1);
  return padded(text, width_of(group) + 1);
}

json to_json(const peers_results& results, const peer& peer) {
  json object{{"name", peer.name},
              {"work_of_one_hog_alone_per_second", finite_or_null(peer.work_of_one_hog_alone)}};
  auto runs = json::array();
  for (const auto& run : peer.runs)
    runs.push_back({{"hogs", run.hogs},
                    {"requests_per_second", run.requests_per_second},
                    {"requests", run.requests},
                    {"cut_short", run.cut_short},
                    {"convoy_factor", finite_or_null(peer.convoy_factor(run.hogs))},
                    {"fmq_lock_over_it", finite_or_null(results.lead_of_fmq_lock(peer, run.hogs))},
                    {"hog_work_relative", finite_or_null(peer.relative_hog_work(run.hogs))},
                    {"cpus_used_by_others", run.cpus_used_by_others}});
  object["runs"] = std::move(runs);
  object["failure"] = peer.failure.empty() ? json(nullptr) : json(peer.failure);
  return object;
}

}  // namespace

std::string header(const peers_results& results) {
  return fmt::format("conch-lab peers: {}\n{} s for each run\n", in_words(results.context),
                     std::chrono::duration_cast<seconds>(results.time_per_run).count());
}

std::string legend_of_peers() {
  return fmt::format(
      R"(requests/s        one TCP connection that echoes 64-byte messages, beside so many hogs: threads that compute
convoy factor     requests/s beside 0 hogs ÷ beside so many
fmq_lock ÷ it     requests/s of fmq_lock ÷ those of the row, beside as many hogs
hog work ÷ one's  work of so many hogs beside the echo ÷ that of one hog of the same kind alone
others            how many CPUs other programs kept busy in the run in which they did most; figures of a
                  row where this is not near 0 say little
*                 there were fewer than {} requests, or one was not answered, for {} s more than the run takes
A t at the end of CPython's version: the free-threaded build, which has no lock.
)",
      enough_requests, extra_time.count());
}

std::string column_titles(const peers_results& results) {
  auto titles = std::string(name_width, ' ');
  auto numbers = fmt::format("{:<{}}", "beside hogs:", name_width);
  for (const auto& group : groups_of(results)) {
    std::vector<std::string> cells;
    for (const auto hogs : group.hogs) cells.push_back(std::to_string(hogs));
    titles += padded(group.title, width_of(group) + 1);
    numbers += cells_in_group(group, cells);
  }
  return "\n" + titles + "\n" + numbers + "  others\n";
}

std::string row(const peers_results& results, const peer& peer) {
  auto line = fmt::format("{:<{}}", peer.name, name_width);
  for (const auto& group : groups_of(results)) {
    std::vector<std::string> cells;
    for (const auto hogs : group.hogs) cells.push_back(group.cell(results, peer, hogs));
    line += cells_in_group(group, cells);
  }
  return line + fmt::format("  {:>6.2f}\n", peer.most_cpus_used_by_others());
}

std::string skipped_lines(const peers_results& results) {
  std::string lines;
  for (const auto& one : results.skipped)
    lines += fmt::format("skipped: {} ({})\n", one.name, one.reason);
  return lines;
}

std::string failure_line(const peer& peer) {
  if (peer.failure.empty()) return {};
  return fmt::format("FAILED: {}: {}\n", peer.name, peer.failure);
}

nlohmann::ordered_json to_json(const peers_results& results) {
  auto context = to_json(results.context);
  context["seconds_per_run"] = std::chrono::duration_cast<seconds>(results.time_per_run).count();
  context["hogs"] = results.numbers_of_hogs;
  auto peers = json::array();
  for (const auto& peer : results.peers) peers.push_back(to_json(results, peer));
  auto skipped = json::array();
  for (const auto& one : results.skipped)
    skipped.push_back({{"name", one.name}, {"reason", one.reason}});
  return {{"schema", 1},
          {"context", std::move(context)},
          {"peers", std::move(peers)},
          {"skipped", std::move(skipped)}};
}

}  // namespace conch::lab
