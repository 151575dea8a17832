// SPDX-License-Identifier: MIT

// What the library makes of threads and hooks, under the locks that can push.

#include "lua_universe.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/timed_gil.hpp>

#include <poll.h>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>

#include <atomic>
#include <thread>
#include <tuple>
#include <vector>

using conch::lua::checkpoints;
using conch::lua::script_thread;
using conch::lua::universe_over;

namespace {

using pushing_locks = std::tuple<conch::timed_gil, conch::fmq_lock>;

/// Runs a piece of Lua code. Loops in it allocate: see lua_threads_test.cpp.
bool runs(script_thread& self, const char* code) {
  return luaL_loadstring(self.state(), code) == LUA_OK && self.call(0, 0);
}

std::atomic<bool> losing{false};  // the hog is inside this:

/// Waits until a hook is set, and takes it away.
int lose_hook(lua_State* state) {
  losing = true;
  while (lua_gethook(state) == nullptr) ::poll(nullptr, 0, 0);  // where signals are delivered
  lua_sethook(state, nullptr, 0, 0);
  return 0;
}

}  // namespace

// hog     lose_hook() · pushed, the hook is lost ·· while not done ··········· pushed again, lets go
// other              | wants the lock, asks ································································· done = true
TEMPLATE_LIST_TEST_CASE("a push whose hook Lua loses is made again", "", pushing_locks) {
  universe_over<TestType> universe(checkpoints::pushed);
  bool fine = false;
  losing = false;
  std::thread other([&] {  // asks but once: not before it is wanted
    while (!losing) std::this_thread::yield();
    universe.run([&](script_thread& self) { fine = runs(self, "done = true"); });
  });
  universe.run([&](script_thread& hog) {
    lua_register(hog.state(), "lose_hook", lose_hook);
    CHECK(runs(hog, "lose_hook() while not done do local allocated = {} end"));
  });
  other.join();
  CHECK(fine);
}

TEMPLATE_LIST_TEST_CASE("threads that come and go push, and are pushed in, a universe", "",
                        pushing_locks) {
  constexpr int places = 3;
  constexpr int generations = 50;
  universe_over<TestType> universe(checkpoints::pushed);
  int ran = 0;  // guarded by the universe's lock
  std::vector<std::thread> threads;
  universe.run([&](script_thread& hog) {
    for (int i = 0; i < places; ++i)
      threads.emplace_back([&] {
        for (int n = 0; n < generations; ++n)
          std::thread([&] {
            universe.run([&](script_thread& self) {
              if (runs(self, "for i = 1, 100 do local allocated = {} end")) ++ran;
              if (ran == places * generations) runs(self, "done = true");
            });
          }).join();
      });
    CHECK(runs(hog, "while not done do local allocated = {} end"));
  });
  for (auto& thread : threads) thread.join();
  CHECK(ran == places * generations);
}
