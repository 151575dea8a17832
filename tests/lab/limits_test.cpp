// SPDX-License-Identifier: MIT

// What conch-lab limits makes of what it has measured.

#include <limits/figure.hpp>
#include <limits/limits.hpp>
#include <limits/table.hpp>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <string>

using namespace conch::lab;  // NOLINT(google-build-using-namespace): what is under test

namespace {

/// After one repetition for each value.
limits_results results_of(bound bound, const std::vector<double>& values) {
  limits_results results;
  for (const auto value : values)
    add(results.limits, "a trial", {{"something", "here", value, bound}});
  return results;
}

}  // namespace

TEST_CASE("a bound is met by its own value and by what lies on the right side of it") {
  CHECK(at_least(0.9).met_by(0.9));
  CHECK(at_least(0.9).met_by(1.0));
  CHECK_FALSE(at_least(0.9).met_by(0.89));
  CHECK(at_most(1.1).met_by(1.1));
  CHECK_FALSE(at_most(1.1).met_by(1.2));
  CHECK(bound{}.met_by(-1));
}

TEST_CASE("the median of the repetitions is held against the bound") {
  CHECK_FALSE(results_of(at_least(0.9), {0.1, 1.0, 0.95}).limits.at(0).is_missed());
  CHECK(results_of(at_least(0.9), {0.1, 1.0, 0.85}).limits.at(0).is_missed());
  CHECK(results_of(at_most(1), {0.5, 2}).limits.at(0).median() == 1.25);
}

TEST_CASE("figures are kept apart by what they are and where they were measured") {
  std::vector<limit> limits;
  for (int repetition = 0; repetition < 2; ++repetition)
    add(limits, "a trial",
        {{"work", "1 hog", 1.0}, {"work", "2 hogs", 2.0}, {"requests", "1 hog", 3.0}});
  REQUIRE(limits.size() == 3);
  CHECK(limits[1].values == std::vector{2.0, 2.0});
}

TEST_CASE(
    "the exit status is 1 for a missed bound, 130 for an interrupt, and a failure beats both") {
  auto results = results_of(at_least(1), {1});
  CHECK(results.status() == 0);
  results.interrupted = true;
  CHECK(results.status() == 130);
  results.failure = "two threads held the lock at once";
  CHECK(results.status() == 1);
  CHECK(results_of(at_least(1), {0.5}).status() == 1);
}

TEST_CASE("what could not be measured is shown with the reason and misses nothing") {
  limits_results results;
  add(results.limits, "a trial", {{"calls", "here", std::nullopt, at_most(1), "it is forbidden"}});
  CHECK(results.status() == 0);
  CHECK(table(results).find("it is forbidden") != std::string::npos);
  CHECK(to_json(results)["limits"][0]["median"].is_null());
}

TEST_CASE("what is missed is named in the table and in the summary") {
  const auto results = results_of(at_least(0.9), {0.5});
  CHECK(table(results).find("MISSED") != std::string::npos);
  CHECK(summary(results).find("something, here: 0.500 instead of ≥ 0.9") != std::string::npos);
  CHECK(summary(results_of(at_least(0.9), {0.95})).empty());
}

TEST_CASE("no line of the table ends with a blank, with a bound and without") {
  CHECK(table(results_of({}, {0.5})).find(" \n") == std::string::npos);
  CHECK(table(results_of(at_least(0.9), {0.95})).find(" \n") == std::string::npos);
}
