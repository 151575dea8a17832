// SPDX-License-Identifier: MIT
#include "table.hpp"

#include "../figures.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>

namespace conch::lab {

namespace {

using json = nlohmann::ordered_json;

constexpr int width_of_where = 62;

/// Three decimals for ratios near 1, none for rates.
std::string number(double value) {
  if (value >= 100) return grouped(value);
  return fmt::format("{:.{}f}", value, value < 10 ? 3 : 1);
}

std::string words(const bound& bound) {
  if (bound.is == bound::kind::none) return {};
  return fmt::format("{} {:g}", bound.is == bound::kind::at_least ? "≥" : "≤", bound.value);
}

std::string verdict(const limit& limit) {
  if (limit.bound.is == bound::kind::none) return {};
  return fmt::format("   {:<7} {}", words(limit.bound), limit.met() ? "met" : "MISSED");
}

std::string row(const limit& limit) {
  if (limit.values.empty())
    return fmt::format("  {:<{}} {:>9}   {}\n", limit.where, width_of_where, nothing, limit.reason);
  const auto [least, most] = std::minmax_element(limit.values.begin(), limit.values.end());
  return fmt::format("  {:<{}} {:>9} {:>9} {:>9}{}\n", limit.where, width_of_where,
                     number(limit.median()), number(*least), number(*most), verdict(limit));
}

json to_json(const bound& bound) {
  switch (bound.is) {
    case bound::kind::at_least:
      return {{"at_least", bound.value}};
    case bound::kind::at_most:
      return {{"at_most", bound.value}};
    case bound::kind::none:
      break;
  }
  return nullptr;
}

json to_json(const limit& limit) {
  const bool known = !limit.values.empty();
  return {{"trial", limit.trial},        {"what", limit.what},
          {"where", limit.where},        {"median", known ? json(limit.median()) : json(nullptr)},
          {"values", limit.values},      {"bound", to_json(limit.bound)},
          {"missed", limit.is_missed()}, {"reason", limit.reason}};
}

}  // namespace

std::string header(const limits_results& results) {
  return fmt::format("conch-lab limits of {}: {}\n", results.lock, in_words(results.context));
}

std::string table(const limits_results& results) {
  auto text = fmt::format(
      "{} repetitions of {} s for most runs; others kept up to {:.2f} CPUs busy\n"
      "  {:<{}} {:>9} {:>9} {:>9}   bound\n",
      results.repetitions, seconds(results.time_per_run).count(), results.cpus_used_by_others, "",
      width_of_where, "median", "least", "most");
  std::string_view what;
  for (const auto& limit : results.limits) {
    if (limit.what != what) text += limit.what + "\n";
    what = limit.what;
    text += row(limit);
  }
  return text;
}

std::string summary(const limits_results& results) {
  std::string text;
  if (!results.failure.empty()) text += fmt::format("conch-lab: FAILED: {}\n", results.failure);
  if (results.interrupted) text += "conch-lab: interrupted\n";
  for (const auto& limit : results.limits)
    if (limit.is_missed())
      text += fmt::format("conch-lab: missed: {}, {}: {} instead of {}\n", limit.what, limit.where,
                          number(limit.median()), words(limit.bound));
  return text;
}

nlohmann::ordered_json to_json(const limits_results& results) {
  auto context = to_json(results.context);
  context["lock"] = results.lock;
  context["seconds_per_run"] = seconds(results.time_per_run).count();
  context["repetitions"] = results.repetitions;
  context["cpus_used_by_others"] = results.cpus_used_by_others;
  auto limits = json::array();
  for (const auto& limit : results.limits) limits.push_back(to_json(limit));
  return {{"schema", 1},
          {"context", std::move(context)},
          {"interrupted", results.interrupted},
          {"failure", results.failure},
          {"limits", limits}};
}

}  // namespace conch::lab
