// SPDX-License-Identifier: MIT

// One lock, and what it keeps of a thread, seen from a program and from shared libraries that were
// compiled on their own and hide their symbols.

#include "../../support/locks.hpp"
#include "../../support/threads.hpp"
#include "view.hpp"

#include <dlfcn.h>

#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using conch::testing::await_waiters;

namespace {

/// Each part's view, the main program's first.
const std::vector<const view*>& all_views() {
  static const std::vector<const view*> views = [] {
    std::vector<const view*> found{view_from_here(), view_of_a(), view_of_b()};
#if !defined(__clang__)  // whose libraries have their own data where they are loaded like this
    void* const plugin = ::dlopen(CONCH_TEST_PLUGIN, RTLD_NOW | RTLD_LOCAL);
    if (plugin != nullptr)
      found.push_back(reinterpret_cast<const view* (*)()>(::dlsym(plugin, "view_of_plugin"))());
#endif
    return found;
  }();
  return views;
}

#if defined(__clang__)
constexpr std::size_t parts = 3;
#else
constexpr std::size_t parts = 4;
#endif

}  // namespace

TEST_CASE("all parts of a program see the same data of a thread and of the process",
          "[shared libraries]") {
  REQUIRE(all_views().size() == parts);
  const auto* const in_main = all_views()[0];
  for (const auto* part : all_views()) {
    CHECK(part->probe_of_thread() == in_main->probe_of_thread());
    CHECK(part->probe_of_process() == in_main->probe_of_process());
    CHECK(part->records_of_thread() == in_main->records_of_thread());
  }
  std::vector<const void*> on_another_thread;
  std::thread([&] {
    for (const auto* part : all_views()) {
      on_another_thread.push_back(part->probe_of_thread());
      on_another_thread.push_back(part->records_of_thread());
    }
  }).join();
  for (std::size_t i = 0; i < on_another_thread.size(); ++i)
    CHECK(on_another_thread[i] == on_another_thread[i % 2]);
  CHECK(on_another_thread[0] != in_main->probe_of_thread());
  CHECK(on_another_thread[1] != in_main->records_of_thread());
}

TEST_CASE("one part of a program may unlock what another has locked on the same thread",
          "[shared libraries]") {
  conch::fmq_lock lock;
  for (const auto* locks : all_views())
    for (const auto* unlocks : all_views()) {
      locks->lock(lock);
      for (const auto* part : all_views()) CHECK(part->held_by_caller(lock));
      unlocks->unlock(lock);
      for (const auto* part : all_views()) CHECK_FALSE(part->held_by_caller(lock));
    }
}

// main     lock (in one part) ─ (waits: 1) ─ interrupt (in a second)
// waiter                        acquire (in a third) ·············· interrupted
TEST_CASE("one part of a program may interrupt a wait in another", "[shared libraries]") {
  conch::fmq_lock lock;
  lock.lock();
  for (const auto* waits : all_views())
    for (const auto* interrupts : all_views()) {
      std::atomic<const void*> thread{nullptr};
      auto result = conch::acquire_result::acquired;
      std::thread waiter([&] {
        thread = all_views()[0]->records_of_thread();
        result = waits->wait(lock);
      });
      await_waiters(lock, 1);
      interrupts->interrupt(thread);
      waiter.join();
      CHECK(result == conch::acquire_result::interrupted);
    }
  lock.unlock();
}

namespace {
struct broken_rule {};
void throw_rule(const conch::contract_violation&) { throw broken_rule(); }
}  // namespace

TEST_CASE("a contract handler that one part of a program sets is everybody's",
          "[shared libraries]") {
  for (const auto* sets : all_views())
    for (const auto* breaks : all_views()) {
      const auto before = sets->set_handler(throw_rule);
      conch::fmq_lock lock;
      CHECK_THROWS_AS(breaks->unlock(lock), broken_rule);
      CHECK(breaks->set_handler(before) == throw_rule);
    }
}
