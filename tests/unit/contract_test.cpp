// SPDX-License-Identifier: MIT

// What a lock does when it is used as it must not be.

#include <conch/contract.hpp>

#include "../support/child_process.hpp"
#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using namespace std::chrono_literals;

namespace {

/// Breaks a rule in a child, which must end by abort() after a line that names the lock and the rule.
template <class Lock, class Violation>
void check_dies_of(const char* rule, Violation violate) {
  const auto end = run_in_child([&] {
    violate();
    return 0;
  });
  INFO(end.describe());
  CHECK(end.killed_by(SIGABRT));
  CHECK(end.said("conch: "));
  CHECK(end.said(Lock::traits.name));
  CHECK(end.said(rule));
}

constexpr auto unlocked_while_free = "unlocked while free";
constexpr auto destroyed_while_held = "destroyed while held";
constexpr auto locked_again = "locked again by its holder";
constexpr auto unlocked_by_stranger = "unlocked by a thread that does not hold it";
constexpr auto used_by_stranger = "of a thread that does not hold it";

}  // namespace

TEMPLATE_LIST_TEST_CASE("to unlock a lock that was never locked ends the program", "[contract]",
                        all_locks) {
  check_dies_of<TestType>(unlocked_while_free, [] {
    TestType lock;
    lock.unlock();
  });
}

TEMPLATE_LIST_TEST_CASE("to unlock a lock twice ends the program", "[contract]", all_locks) {
  check_dies_of<TestType>(unlocked_while_free, [] {
    TestType lock;
    lock.lock();
    lock.unlock();
    lock.unlock();
  });
}

TEMPLATE_LIST_TEST_CASE("to destroy a held lock ends the program", "[contract]", all_locks) {
  check_dies_of<TestType>(destroyed_while_held, [] {
    const auto lock = std::make_unique<TestType>();
    lock->lock();
  });
}

TEMPLATE_LIST_TEST_CASE("to lock a lock that the caller holds ends the program", "[contract]",
                        locks_that<is_owned>) {
  check_dies_of<TestType>(locked_again, [] {
    TestType lock;
    lock.lock();
    lock.lock();
  });
}

TEMPLATE_LIST_TEST_CASE("a timed lock of a lock that the caller holds ends the program",
                        "[contract]", locks_that<is_owned>) {
  check_dies_of<TestType>(locked_again, [] {
    TestType lock;
    lock.lock();
    (void)lock.try_lock_for(1ms);
  });
}

TEMPLATE_LIST_TEST_CASE("a try of a lock that the caller holds fails and breaks no rule",
                        "[contract]", locks_that<is_owned>) {
  TestType lock;
  lock.lock();
  CHECK_FALSE(lock.try_lock());
  CHECK(lock.held_by_caller());
  lock.unlock();
}

TEMPLATE_LIST_TEST_CASE("to unlock a lock that another thread holds ends the program", "[contract]",
                        locks_that<is_owned>) {
  check_dies_of<TestType>(unlocked_by_stranger, [] {
    TestType lock;
    lock.lock();
    std::thread([&] { lock.unlock(); }).join();
  });
}

TEMPLATE_LIST_TEST_CASE("a yield by a thread that does not hold the lock ends the program",
                        "[contract]", locks_that<is_owned>) {
  check_dies_of<TestType>(used_by_stranger, [] {
    TestType lock;
    lock.yield();
  });
  check_dies_of<TestType>(used_by_stranger, [] {
    TestType lock;
    lock.lock();
    std::thread([&] { lock.yield(); }).join();
  });
}

#if defined(CONCH_CHECKED)
TEMPLATE_LIST_TEST_CASE("a checkpoint of a thread that does not hold the lock ends the program",
                        "[contract]", locks_that<is_owned>) {
  check_dies_of<TestType>(used_by_stranger, [] {
    TestType lock;
    lock.lock();
    std::thread([&] { lock.checkpoint(); }).join();
  });
}
#endif

namespace {

/// Once the lock has been lent, whoever asks the holder for the next visit uses the lock as if it were
/// the holder itself.
struct impatient_guest {
  std::function<void()> meddle;
  std::atomic<bool> is_lent{false};
  void on_event(conch::lock_event event) noexcept {
    if (event == conch::lock_event::lent) is_lent = true;
    if (event == conch::lock_event::drop_requested && is_lent) meddle();
  }
};

}  // namespace

// hog      |--c--c~~~~c--c--c--c--c--c                  ~ the lock is lent
// guest        lock·unlock     lock|c, which only the hog may
TEST_CASE("a checkpoint of a thread that asks to be lent an fmq_lock ends the program",
          "[contract]") {
  using lock_type = conch::basic_fmq_lock<conch::posix_platform, impatient_guest>;
  if (conch::posix_platform::cpu_count() == 1) SKIP("nobody spins on one CPU");
  check_dies_of<lock_type>(used_by_stranger, [] {
    lock_type lock;
    lock.observer().meddle = [&] { lock.checkpoint(); };
    std::thread hog([&] {
      lock.lock();
      for (;;) {
        work_for(5us);  // in which the guest meddles
        lock.checkpoint();
      }
    });
    await([&] { return lock.is_locked(); });
    for (;;) {
      lock.lock();
      lock.unlock();
      work_for(300us);  // for longer than the holder may be ahead of a thread with credit
    }
  });
}

namespace {

/// What the handler was told; only tests that set it use it.
struct told {
  std::string lock;
  std::string rule;
  const void* address = nullptr;
  std::uintptr_t thread = 0;
};

struct broken_rule : std::runtime_error {
  using std::runtime_error::runtime_error;
};

told last_told;

void note_and_throw(const conch::contract_violation& violation) {
  last_told = {violation.lock, violation.rule, violation.address, violation.thread};
  throw broken_rule(violation.rule);
}

void note(const conch::contract_violation&) { std::fputs("noted\n", stderr); }

class handler_of_this_test {
public:
  explicit handler_of_this_test(conch::contract_handler handler)
      : before_(conch::set_contract_handler(handler)) {}
  handler_of_this_test(const handler_of_this_test&) = delete;
  handler_of_this_test& operator=(const handler_of_this_test&) = delete;
  ~handler_of_this_test() { conch::set_contract_handler(before_); }

private:
  conch::contract_handler before_;
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("a contract handler is told the lock, the rule, the address and the thread",
                        "[contract]", all_locks) {
  const handler_of_this_test handler(note_and_throw);
  last_told = {};
  TestType lock;
  std::uintptr_t self = 0;
  bool thrown = false;
  std::thread([&] {
    self = conch::posix_platform::this_thread();
    try {
      lock.unlock();
    } catch (const broken_rule&) {
      thrown = true;
    }
  }).join();
  CHECK(thrown);
  CHECK(last_told.lock == TestType::traits.name);
  CHECK(last_told.rule == unlocked_while_free);
  // Where a lock stands over another, it is the lock that the caller used.
  CHECK(last_told.address == static_cast<const void*>(&lock));
  CHECK(last_told.thread == self);
}

TEMPLATE_LIST_TEST_CASE("a contract handler may throw out of unlock and leave a lock that works",
                        "[contract]", all_locks) {
  const handler_of_this_test handler(note_and_throw);
  TestType lock;
  CHECK_THROWS_AS(lock.unlock(), broken_rule);
  CHECK(another_thread_can_take(lock));
  lock.lock();
  CHECK_FALSE(another_thread_can_take(lock));
  lock.unlock();
  CHECK_THROWS_AS(lock.unlock(), broken_rule);
}

TEMPLATE_LIST_TEST_CASE("a contract handler may throw out of lock and unlock of a held lock",
                        "[contract]", locks_that<is_owned>) {
  const handler_of_this_test handler(note_and_throw);
  TestType lock;
  lock.lock();
  CHECK_THROWS_AS(lock.lock(), broken_rule);
  CHECK(last_told.rule == locked_again);
  CHECK_THROWS_AS(lock.try_lock_for(1ms), broken_rule);
  CHECK(lock.held_by_caller());
  CHECK(lock.waiters() == 0);
  bool thrown = false;
  std::thread([&] {
    try {
      lock.unlock();
    } catch (const broken_rule&) {
      thrown = true;
    }
  }).join();
  CHECK(thrown);
  CHECK(last_told.rule == unlocked_by_stranger);
  CHECK(lock.held_by_caller());
  lock.unlock();
  CHECK(another_thread_can_take(lock));
}

TEMPLATE_LIST_TEST_CASE("the program ends even if a contract handler returns", "[contract]",
                        all_locks) {
  const auto end = run_in_child([] {
    conch::set_contract_handler(note);
    TestType lock;
    lock.unlock();
    return 0;
  });
  INFO(end.describe());
  CHECK(end.killed_by(SIGABRT));
  CHECK(end.said("noted"));
  CHECK(end.said(unlocked_while_free));
}

TEST_CASE("set_contract_handler returns the handler before", "[contract]") {
  REQUIRE(conch::set_contract_handler(note) == nullptr);
  CHECK(conch::set_contract_handler(note_and_throw) == note);
  CHECK(conch::set_contract_handler(nullptr) == note_and_throw);
  CHECK(conch::set_contract_handler(nullptr) == nullptr);
}

namespace {

/// What rejects the call says; nothing if it is not rejected.
template <class Call>
std::string rejection(Call call) {
  try {
    call();
  } catch (const std::invalid_argument& rejected) {
    return rejected.what();
  }
  return "";
}

auto names(const std::string& field, const std::string& value) {
  return Catch::Matchers::Matches(".*\\b" + field + "\\b.*[^0-9-]" + value + "\\b.*");
}

}  // namespace

TEST_CASE("tick_gil rejects a check interval below 1 and names it", "[contract]") {
  using gil = conch::tick_gil;
  CHECK_THAT(rejection([] { gil lock(0); }), names("check_interval", "0"));
  CHECK_THAT(rejection([] { gil lock(-7); }), names("check_interval", "-7"));
  gil lock(1);
  CHECK_THAT(rejection([&] { lock.set_check_interval(0); }), names("check_interval", "0"));
  CHECK_THAT(rejection([&] { lock.set_check_interval(-7); }), names("check_interval", "-7"));
  CHECK(lock.check_interval() == 1);
}

TEST_CASE("timed_gil rejects a switch interval that is not positive and names it", "[contract]") {
  using gil = conch::timed_gil;
  CHECK_THAT(rejection([] { gil lock(0ns); }), names("switch_interval", "0"));
  CHECK_THAT(rejection([] { gil lock(-7ns); }), names("switch_interval", "-7"));
  gil lock(1ns);
  CHECK_THAT(rejection([&] { lock.set_switch_interval(0ns); }), names("switch_interval", "0"));
  CHECK_THAT(rejection([&] { lock.set_switch_interval(-7ns); }), names("switch_interval", "-7"));
  CHECK(lock.switch_interval() == 1ns);
}
