// SPDX-License-Identifier: MIT

// Real Lua code on many threads, over tables that they share: stress.lua says what it does.

#include "lua_universe.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

using conch::lua::checkpoints;
using conch::lua::script_thread;

namespace {

constexpr int thread_count = 8;

template <class Lock, checkpoints Way>
struct under {
  using lock = Lock;
  static constexpr checkpoints way = Way;
};

using all_settings = std::tuple<
    under<conch::pthread_lock, checkpoints::counted>, under<conch::sem_lock, checkpoints::counted>,
    under<conch::tick_gil, checkpoints::counted>, under<conch::timed_gil, checkpoints::counted>,
    under<conch::timed_gil, checkpoints::pushed>, under<conch::fmq_lock, checkpoints::counted>,
    under<conch::fmq_lock, checkpoints::pushed>>;

double seconds() {
  const char* const wanted = std::getenv("CONCH_LUA_STRESS_SECONDS");
  return wanted != nullptr ? std::strtod(wanted, nullptr) : 0.3;
}

/// Calls a function of the table that stress.lua has returned. Its error, if there is one.
std::string call(script_thread& self, const char* function, double argument) {
  auto* const state = self.state();
  lua_getglobal(state, "stress");
  lua_getfield(state, -1, function);
  lua_remove(state, -2);
  if (argument == static_cast<int>(argument))
    lua_pushinteger(state, static_cast<int>(argument));
  else
    lua_pushnumber(state, argument);
  if (self.call(1, 0)) return {};
  std::string message = lua_tostring(state, -1);
  lua_pop(state, 1);
  return message;
}

bool load(script_thread& self) {
  if (luaL_loadfile(self.state(), CONCH_LUA_STRESS) != LUA_OK || !self.call(0, 1)) return false;
  lua_setglobal(self.state(), "stress");
  return true;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("tables that Lua code on 8 threads shares are whole in the end", "",
                        all_settings) {
  conch::lua::universe_over<typename TestType::lock> universe(TestType::way);
  std::vector<std::string> errors;  // guarded by the universe's lock, as what follows
  int ended = 0;
  std::vector<std::thread> threads;
  universe.run([&](script_thread& main) {
    REQUIRE(load(main));
    REQUIRE(call(main, "prepare", thread_count).empty());
    for (int i = 1; i <= thread_count; ++i)
      threads.emplace_back([&, i] {
        universe.run([&](script_thread& self) {
          errors.push_back(call(self, "work", i));
          ++ended;
          universe.announce();
        });
      });
    if (TestType::lock::traits.fairness != conch::fairness::none)
      errors.push_back(call(main, "wait_for_all", thread_count));
    errors.push_back(call(main, "finish", seconds()));
    universe.wait([&] { return ended == thread_count; });
    errors.push_back(call(main, "check", thread_count));
  });
  for (auto& thread : threads) thread.join();
  for (const auto& error : errors) CHECK(error == "");
}
