// SPDX-License-Identifier: MIT

// More than one interactive thread, and such as have more to do than to answer.

#include "trials.hpp"

#include <fmt/format.h>

namespace conch::lab {

namespace {

constexpr const char* slowest_to_mean = "requests of the slowest connection ÷ the mean";

void add_rate(figures& all, const std::string& where, const run_result& seen) {
  all.push_back({"requests/s", where, seen.echo->requests_per_second});
}

}  // namespace

figures measure_connections(workbench& bench) {
  constexpr unsigned most = 64;
  figures all, rates, shares;
  for (const unsigned connections : {4U, 16U, most}) {
    const auto seen = bench.run({.hogs = 2, .connections = connections, .time = 2 * bench.time()});
    const auto where = fmt::format("{} connections beside 2 hogs", connections);
    all.push_back({slowest_to_mean, where, seen.echo->slowest_over_mean,
                   connections == most ? at_least(0.8) : bound{}});
    add_rate(rates, where, seen);
  }
  const auto without_hogs = bench.run({.connections = 16});
  all.push_back(
      {slowest_to_mean, "16 connections without hogs", without_hogs.echo->slowest_over_mean});
  add_rate(rates, "1 connection beside 2 hogs", bench.run({.hogs = 2}));
  add_rate(rates, "16 connections without hogs", without_hogs);
  for (const unsigned connections : {1U, 4U}) {
    const auto seen =
        bench.run({.hogs = 2, .connections = connections, .burst = std::chrono::milliseconds(3)});
    const auto where = count_of(connections, "connection") + " with bursts of 3 ms beside 2 hogs";
    add_rate(rates, where, seen);
    shares.push_back({"the echo's share of the time", where, seen.echo->hold_share});
  }
  all.insert(all.end(), rates.begin(), rates.end());
  all.insert(all.end(), shares.begin(), shares.end());
  return all;
}

}  // namespace conch::lab
