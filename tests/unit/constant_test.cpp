// SPDX-License-Identifier: MIT

// Locks that exist before any code runs.

#include "../support/locks.hpp"
#include "../support/threads.hpp"

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers

namespace {
template <class Lock>
constinit Lock constant_lock;

/// Uses the lock while the program's other objects are still being initialised.
template <class Lock>
bool used_early() {
  auto& lock = constant_lock<Lock>;
  lock.lock();
  const bool alone = !another_thread_can_take(lock);
  lock.unlock();
  return alone && another_thread_can_take(lock);
}

template <class Lock>
const bool early_use_went_well = used_early<Lock>();
}  // namespace

TEMPLATE_LIST_TEST_CASE("a lock that is a constant works before main", "[constant]",
                        constant_locks) {
  CHECK(early_use_went_well<TestType>);
}
