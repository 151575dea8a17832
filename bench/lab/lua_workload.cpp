// SPDX-License-Identifier: MIT
#include "workloads.hpp"

#include "contest.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <unistd.h>
#include <lua_io.hpp>
#include <lua_universe.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>

namespace conch::lab {

namespace {

using lua::script_thread;

[[noreturn]] void fail(lua_State* state) { throw std::runtime_error(lua_tostring(state, -1)); }

void load(lua_State* state, const char* script) {
  const auto file = std::string(CONCH_LAB_LUA) + "/" + script;
  if (luaL_loadfile(state, file.c_str()) != LUA_OK) fail(state);
}

/// stopped() in a script: what the flag, its upvalue, says.
void push_stopped(lua_State* state, const std::atomic<bool>& stop) {
  lua_pushlightuserdata(state, const_cast<std::atomic<bool>*>(&stop));
  lua_pushcclosure(
      state,
      [](lua_State* caller) {
        const auto* const flag =
            static_cast<const std::atomic<bool>*>(lua_touserdata(caller, lua_upvalueindex(1)));
        lua_pushboolean(caller, flag->load(std::memory_order_relaxed) ? 1 : 0);
        return 1;
      },
      1);
}

/// The function of hog.lua with its arguments, on the stack.
constexpr int hog_arguments = 2;
void push_hog(lua_State* state, work_unit unit, const std::atomic<bool>& stop) {
  load(state, "hog.lua");
  lua_pushinteger(state, unit.rounds);
  push_stopped(state, stop);
}

/// One thread that runs Lua code: keeps account of its turns.
class lua_participant final : public lua::thread_listener {
public:
  lua_participant(turn& turn, part part) noexcept
      : turn_(turn), self_(part.self), watch_(part.unit) {}

  void leaves() noexcept override {
    watch_.lets_go();
    turn_.leave(self_);
  }
  void asks() noexcept override { watch_.asks(); }
  void enters(bool another_ran) noexcept override {
    if (another_ran) watch_.gained();
    turn_.enter(self_);
    ++entries_;
  }

  [[nodiscard]] lab::account account(std::uint64_t work) const noexcept {
    return {work, entries_, watch_.times()};
  }

private:
  turn& turn_;
  turn::thread self_;
  std::uint64_t entries_ = 0;
  hold_watch watch_;
};

/// All threads run Lua code in one universe. Their checkpoints are the universe's, whatever the spacing.
template <class Lock>
class lua_contest final : public contest {
public:
  account hog(part part, unsigned, const std::atomic<bool>& stop) override {
    std::uint64_t work = 0;
    lua_participant self(turn_, part);
    take_part(self, [&](script_thread& thread) {
      push_hog(thread.state(), part.unit, stop);
      call(thread, hog_arguments, 1);
      work = static_cast<std::uint64_t>(lua_tointeger(thread.state(), -1));
    });
    return self.account(work);
  }

  account play(part, const adversary&, const std::atomic<bool>&) override {
    throw std::logic_error("there is no adversary among Lua scripts");
  }

  echo_tally serve(part part, int connection, unsigned burst) override {
    echo_tally tally;
    lua_participant self(turn_, part);
    take_part(self, [&](script_thread& thread) {
      auto* const state = thread.state();
      load(state, "echo.lua");
      lua::push_socket(state, ::dup(connection));
      lua_pushinteger(state, part.unit.rounds);
      lua_pushinteger(state, burst);
      call(thread, 3, 2);
      tally.answered = static_cast<std::uint64_t>(lua_tointeger(state, -2));
      tally.damaged = static_cast<std::uint64_t>(lua_tointeger(state, -1));
    });
    tally.account = self.account(0);
    return tally;
  }

  [[nodiscard]] std::optional<std::uint64_t> vain_wakeups() const override {
    if constexpr (counts_vain_wakeups<Lock>)
      return universe_.lock().observer().count();
    else
      return std::nullopt;
  }
  [[nodiscard]] std::optional<wake_counts> wakes() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override { return universe_.describe(); }

private:
  template <class Body>
  void take_part(lua_participant& self, Body body) {
    self.asks();
    universe_.run([&](script_thread& thread) {
      self.enters(true);
      thread.set_listener(&self);
      body(thread);
      thread.set_listener(nullptr);
      self.leaves();
    });
  }

  static void call(script_thread& thread, int arguments, int results) {
    if (!thread.call(arguments, results)) fail(thread.state());
  }

  mutable lua::universe_over<Lock> universe_;  // asking its lock's observer is not const
};

/// One hog on a Lua machine of its own, without hooks and locks.
class lua_hog_alone final : public contest {
public:
  account hog(part part, unsigned, const std::atomic<bool>& stop) override {
    const std::unique_ptr<lua_State, decltype(&lua_close)> state(luaL_newstate(), lua_close);
    luaL_openlibs(state.get());
    lua_participant self(turn_, part);
    self.asks();
    self.enters(true);
    push_hog(state.get(), part.unit, stop);
    if (lua_pcall(state.get(), hog_arguments, 1, 0) != LUA_OK) fail(state.get());
    self.leaves();
    return self.account(static_cast<std::uint64_t>(lua_tointeger(state.get(), -1)));
  }

  account play(part, const adversary&, const std::atomic<bool>&) override { return {}; }
  echo_tally serve(part, int, unsigned) override { return {}; }
  [[nodiscard]] std::optional<std::uint64_t> vain_wakeups() const override { return std::nullopt; }
  [[nodiscard]] std::optional<wake_counts> wakes() const override { return std::nullopt; }
  [[nodiscard]] std::string describe() const override { return "no lock"; }
};

template <class Contest>
lock_entry lua_entry(const char* name) {
  return {name, []() -> std::unique_ptr<contest> { return std::make_unique<Contest>(); }};
}

template <class Lock>
lock_entry lock(const char* name = Lock::traits.name) {
  return lua_entry<lua_contest<Lock>>(name);
}

work_unit calibrate() {
  constexpr int tries = 50;  // the fastest one was not disturbed
  constexpr unsigned rounds = 200;
  constexpr unsigned units = 100;  // that hog.lua does at least
  const std::atomic<bool> stop{true};
  auto fastest = clock::duration::max();
  for (int i = 0; i < tries; ++i) {
    lua_hog_alone alone;
    const auto account = alone.hog({.unit = {.rounds = rounds}}, 1, stop);
    fastest = std::min(fastest, account.times.held);
  }
  const auto round_time = std::chrono::duration<double, std::nano>(fastest) / (rounds * units);
  const auto wanted = std::max(1.0, wanted_unit_time / round_time);
  return {.rounds = static_cast<unsigned>(wanted), .time = round_time * wanted};
}

}  // namespace

workload lua_workload() {
  using wakeups = vain_wakeup_counter;
  return {lua_workload_name,
          "scripts on one Lua 5.4, which know conch's locks alone",
          {lock<basic_pthread_lock<posix_platform, wakeups>>(), lock<sem_lock>(),
           lock<basic_tick_gil<sem_lock, wakeups>>(),
           lock<basic_tick_gil<pthread_lock, wakeups>>("tick_gil-pthread"),
           lock<basic_timed_gil<posix_platform, wakeups>>(),
           lock<basic_fmq_lock<posix_platform, wakeups>>()},
          lua_entry<lua_hog_alone>("no lock"),
          calibrate};
}

}  // namespace conch::lab
