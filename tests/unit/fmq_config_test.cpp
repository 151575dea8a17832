// SPDX-License-Identifier: MIT

// The configuration of an fmq_lock, and its description of itself.

#include <conch/fmq/wait_bound.hpp>
#include <conch/fmq_lock.hpp>

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::Matches;
using conch::fmq_config;

namespace {

/// What an fmq_lock says of a configuration that it rejects; nothing if it takes it.
std::string rejection(const fmq_config& config) {
  try {
    const conch::fmq_lock lock(config);
  } catch (const std::invalid_argument& rejected) {
    return rejected.what();
  }
  return "";
}

/// A message that names the field, its value and its range.
auto names(const std::string& field, const std::string& value, const std::string& least,
           const std::string& most) {
  return Matches(".*\\b" + field + "\\b.*[^0-9-]" + value + "\\b.*\\b" + least + "\\b.*\\b" + most +
                 "\\b.*");
}

void check_range(const std::string& field, std::chrono::nanoseconds fmq_config::*member,
                 std::chrono::nanoseconds least, std::chrono::nanoseconds most) {
  CAPTURE(field);
  const auto with = [member](std::chrono::nanoseconds value) {
    fmq_config config;
    config.quantum = 1s;  // the most, so that it narrows no other field's range
    config.*member = value;
    return config;
  };
  const auto text = [](std::chrono::nanoseconds value) { return std::to_string(value.count()); };
  CHECK_THAT(rejection(with(least - 1ns)),
             names(field, text(least - 1ns), text(least), text(most)));
  CHECK_THAT(rejection(with(most + 1ns)), names(field, text(most + 1ns), text(least), text(most)));
  if (field != "quantum") CHECK(rejection(with(least)).empty());
  CHECK(rejection(with(most)).empty());
}

}  // namespace

TEST_CASE("fmq_lock rejects a field out of its range and names field and value and range",
          "[fmq]") {
  check_range("quantum", &fmq_config::quantum, 1us, 1s);
  check_range("credit", &fmq_config::credit, 0ns, 1s);
  check_range("credit_slack", &fmq_config::credit_slack, 0ns, 1s);
  check_range("boost_age", &fmq_config::boost_age, 1ns, 10s);
  check_range("boost_slice", &fmq_config::boost_slice, 0ns, 1s);
  check_range("seal_after", &fmq_config::seal_after, 0ns, 1s);
  check_range("spin", &fmq_config::spin, 0ns, 20us);

  fmq_config config;
  config.seal_tries = 0;
  CHECK_THAT(rejection(config), names("seal_tries", "0", "1", "1000"));
  config.seal_tries = 1'001;
  CHECK_THAT(rejection(config), names("seal_tries", "1001", "1", "1000"));
  config.seal_tries = 1'000;
  CHECK(rejection(config).empty());
}

TEST_CASE("fmq_lock rejects slices that are longer than its quantum", "[fmq]") {
  fmq_config config;
  config.quantum = 1ms;
  config.credit_slack = 1ms + 1ns;
  CHECK_THAT(rejection(config), names("credit_slack", "1000001", "0", "1000000"));
  config.credit_slack = 1ms;
  config.boost_slice = 1ms + 1ns;
  CHECK_THAT(rejection(config), names("boost_slice", "1000001", "0", "1000000"));
  config.boost_slice = 1ms;
  CHECK(rejection(config).empty());
}

TEST_CASE("fmq_lock has the documented defaults and keeps what it is given", "[fmq]") {
  conch::fmq_lock by_default;
  CHECK(by_default.config().quantum == 5ms);
  CHECK(by_default.config().credit == 4ms);
  CHECK(by_default.config().credit_slack == 250us);
  CHECK(by_default.config().boost_age == 40ms);
  CHECK(by_default.config().boost_slice == 1ms);

  fmq_config config;
  config.quantum = 7ms;
  config.seal_tries = 3;
  conch::fmq_lock configured(config);
  CHECK(configured.config().quantum == 7ms);
  CHECK(configured.config().seal_tries == 3);
}

// main     lock ─ (waits: 2) ─ describe ─ unlock
// a, b     lock ························· each has it once
TEST_CASE("fmq_lock describes each waiter with its level and the time that it has waited",
          "[fmq]") {
  conch::fmq_lock lock;
  lock.lock();
  const auto take_once = [&] {
    lock.lock();
    lock.unlock();
  };
  std::thread a(take_once);
  await_waiters(lock, 1);
  std::thread b(take_once);
  await_waiters(lock, 2);
  const auto text = lock.describe();
  const auto holder = std::to_string(conch::posix_platform::this_thread());
  const auto line_of = [](std::thread& thread) {
    return "thread " +
           std::to_string(static_cast<conch::posix_platform::thread_id>(thread.native_handle()));
  };
  CHECK_THAT(text, ContainsSubstring("held by thread " + holder));
  CHECK_THAT(text, ContainsSubstring("2 waiting"));
  const auto first = text.find(line_of(a) + ": level ");
  const auto second = text.find(line_of(b) + ": level ");
  CHECK(first != std::string::npos);
  CHECK(second != std::string::npos);
  CHECK(first < second);
  CHECK_THAT(text, ContainsSubstring("waiting for"));
  lock.unlock();
  a.join();
  b.join();
}

TEST_CASE("the bound on a wait for an fmq_lock has all of its terms", "[fmq]") {
  using conch::fmq::wait_bound;
  // B = 40 ms, q = 5 ms, m = 1 ms, s = 20 µs + 3 µs.
  STATIC_CHECK(wait_bound({.waiters = 1}) == 40ms + (1ms + 23us) + 23us);
  STATIC_CHECK(wait_bound({.waiters = 10}) == 100ms + 10 * (1ms + 23us) + 23us);
  STATIC_CHECK(wait_bound({.waiters = 10, .gap = 2ms, .lateness = 3ms}) ==
               100ms + 10 * (1ms + 2ms + 2 * 3ms + 23us) + 3 * 3ms + 23us);
}
