// SPDX-License-Identifier: MIT
#include "search.hpp"

#include <algorithm>
#include <array>
#include <memory>

namespace conch::sim {
namespace {

using real_time = std::chrono::steady_clock;

void add(report& sum, const report& part) {
  sum.schedules += part.schedules;
  sum.choices += part.choices;
  sum.steps += part.steps;
  if (!part.found) return;
  sum.found = part.found;
  sum.found->after = sum.schedules;
}

}  // namespace

outcome replay(const scenario& what, std::string_view choices) {
  const auto again = make_replay(choices);
  again->begin();
  return run(what.body, what.where, *again, true);
}

report explore(const scenario& what, scheduler& how, std::uint64_t most,
               std::optional<real_time::time_point> until) {
  report result;
  while (result.schedules < most && (!until || real_time::now() < *until)) {
    if (!how.begin()) {
      result.complete = true;
      break;
    }
    const auto end = run(what.body, what.where, how);
    ++result.schedules;
    result.choices += end.choices;
    result.steps += end.steps;
    if (!end.failure) continue;
    const auto again = replay(what, end.replay);
    const bool same = again.failure == end.failure && again.hash == end.hash;
    result.found = failure{*end.failure + (same ? "" : " (DOES NOT REPLAY)"), end.replay,
                           again.trace, result.schedules};
    break;
  }
  return result;
}

report roam(const scenario& what, std::uint64_t seed, std::uint64_t schedules,
            std::optional<real_time::time_point> until) {
  report result;
  std::array<std::unique_ptr<scheduler>, 4> hows{make_random(seed), make_pct(2, seed),
                                                 make_pct(3, seed), make_pct(4, seed)};
  while (result.schedules < schedules && !result.found && (!until || real_time::now() < *until))
    for (auto& how : hows) {
      const auto left = schedules - result.schedules;
      add(result, explore(what, *how, std::min<std::uint64_t>(left, 64), until));
      if (result.found) break;
    }
  return result;
}

report check(const scenario& what, std::uint64_t seed, std::uint64_t most) {
  report result;
  for (const auto& bound : what.exhaustive) {
    const auto how = make_exhaustive(bound);
    add(result, explore(what, *how, most));
    if (result.found) return result;
  }
  if (what.random != 0) add(result, roam(what, seed, what.random));
  return result;
}

std::string describe(const scenario& what, const failure& found) {
  return found.trace + "\n" + what.name + std::string(" failed at schedule ") +
         std::to_string(found.after) + ": " + found.what + "\nreplay: conch-sim --replay '" +
         what.name + "@" + found.replay + "'\n";
}

}  // namespace conch::sim
