// SPDX-License-Identifier: MIT
#include "lua.hpp"

#include "../common/statistics.hpp"
#include "../common/text_table.hpp"
#include "lua_universe.hpp"

#include <fmt/format.h>
#include <conch/fmq_lock.hpp>

#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace conch::bench {

namespace {

struct script {
  const char* name;
  const char* code;  // returns the function that is measured
};

constexpr std::array scripts{
    script{"calls",
           "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
           "return function() return fib(24) end"},
    script{"loops",
           "local numbers = {} for i = 1, 1000 do numbers[i] = i end\n"
           "return function() local x = 0\n"
           "  for round = 1, 1000 do for i = 1, 1000 do x = x ~ numbers[i] end end return x end"},
    script{"tables",
           "return function() local sum = 0\n"
           "  for round = 1, 10 do local t = {} for i = 1, 2000 do t[i] = {x = i, y = -i} end\n"
           "    for i = 1, #t do sum = sum + t[i].x + t[i].y end end return sum end"},
    script{
        "strings",
        "return function() local pieces, length = {}, 0\n"
        "  for i = 1, 10000 do pieces[i] = string.format('%d:%s', i, ('x'):rep(i % 17)) end\n"
        "  for word in table.concat(pieces, ','):gmatch('[^,]+') do length = length + #word end\n"
        "  return length end"}};

void call(lua_State* state, int arguments, int results) {
  if (lua_pcall(state, arguments, results, 0) != LUA_OK)
    throw std::runtime_error(lua_tostring(state, -1));
}

/// Leaves the function on the stack.
void load(lua_State* state, const script& s) {
  if (luaL_loadstring(state, s.code) != LUA_OK) throw std::runtime_error(lua_tostring(state, -1));
  call(state, 0, 1);
}

/// In milliseconds, of the function on the stack.
double time_of_call(lua_State* state) {
  const auto begin = std::chrono::steady_clock::now();
  lua_pushvalue(state, -1);
  call(state, 0, 0);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

/// Lua's generational collector works by how much the heap has grown: what else is in it makes a
/// script that allocates up to a fifth quicker or slower, by chance.
void change_what_else_is_there(lua_State* state, int slots) {
  lua_createtable(state, slots, 0);
  lua_setglobal(state, "something_else");
  lua_gc(state, LUA_GCCOLLECT);
}

/// The three ways by turns, call by call, each time with something else in the heap, and the ratios of
/// neighbours: a machine that is slower for a while is so for all three.
std::vector<std::string> row(lua_State* plain, lua_State* pushed, lua_State* counted,
                             const script& s, int repetitions) {
  for (auto* state : {plain, pushed, counted}) load(state, s);
  std::vector<double> times;
  std::vector<double> with_pushed;
  std::vector<double> with_counted;
  std::minstd_rand random;
  for (int i = 0; i < repetitions; ++i) {
    const int slots = std::uniform_int_distribution(0, 8192)(random);
    for (auto* state : {plain, pushed, counted}) change_what_else_is_there(state, slots);
    times.push_back(time_of_call(plain));
    with_pushed.push_back(time_of_call(pushed) / times.back());
    with_counted.push_back(time_of_call(counted) / times.back());
  }
  for (auto* state : {plain, pushed, counted}) lua_pop(state, 1);
  return {s.name, fmt::format("{:.1f} ms", lab::median(times)),
          fmt::format("{:.3f}", lab::median(with_pushed)),
          fmt::format("{:.3f}", lab::median(with_counted))};
}

}  // namespace

std::string table_of_lua(int repetitions) {
  // As the stand-alone interpreter has it.
  const std::unique_ptr<lua_State, decltype(&lua_close)> plain(luaL_newstate(), lua_close);
  luaL_openlibs(plain.get());
  lua_gc(plain.get(), LUA_GCGEN, 0, 0);

  lua::universe_over<fmq_lock> pushing(lua::checkpoints::pushed);
  lua::universe_over<fmq_lock> counting(lua::checkpoints::counted);
  text_table table({"", "plain", "pushed hook\n÷ plain", "counted hook\n÷ plain"});
  pushing.run([&](lua::script_thread& pushed) {
    counting.run([&](lua::script_thread& counted) {
      for (const auto& s : scripts)
        table.add(row(plain.get(), pushed.state(), counted.state(), s, repetitions));
    });
  });
  return table.text();
}

}  // namespace conch::bench
