// SPDX-License-Identifier: MIT
// Runs Lua scripts, each in a thread of its own, in one Lua universe under a lock of conch's.

#include "lua_universe.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace {

using conch::lua::checkpoints;
using conch::lua::script_thread;
using conch::lua::universe;

constexpr int failure_status = 1;
constexpr int usage_status = 2;
constexpr int interrupted_status = 130;  // what a shell reports after Ctrl-C

void complain(const std::string& what) { fmt::print(stderr, "lua_threads: {}\n", what); }

struct lock_entry {
  std::string name;
  checkpoints default_way;
  bool can_push;
  std::unique_ptr<universe> (*make)(checkpoints way);
};

template <class Lock>
lock_entry entry() {
  return {Lock::traits.name, conch::lua::default_checkpoints<Lock>, conch::lua::can_push<Lock>,
          [](checkpoints way) -> std::unique_ptr<universe> {
            return std::make_unique<conch::lua::universe_over<Lock>>(way);
          }};
}

const std::vector<lock_entry>& locks() {
  static const std::vector<lock_entry> all{entry<conch::pthread_lock>(), entry<conch::sem_lock>(),
                                           entry<conch::tick_gil>(), entry<conch::timed_gil>(),
                                           entry<conch::fmq_lock>()};
  return all;
}

/// The names of those locks for which it holds, as they may be typed.
template <class Holds>
std::vector<std::string> names(Holds holds) {
  std::vector<std::string> result;
  for (const auto& one : locks())
    if (holds(one)) result.push_back(one.name);
  return result;
}

/// The scripts of one invocation. What changes is guarded by the universe's lock.
class scripts {
public:
  scripts(universe& where, const std::vector<std::string>& files) : universe_(where) {
    for (const auto& file : files) scripts_.push_back({file});
  }

  /// The program's exit status.
  int run() {
    universe_.run([this](script_thread& self) {
      if (!load(self.state())) return;
      universe_.on_signal(SIGINT, [this](int) {
        interrupted_ = true;
        end("interrupted!");
      });
      start();
      universe_.wait([this] { return failed_ || all_have_ended(); });
      if (!all_have_ended()) end("stopped, since another script has failed");
      universe_.wait([this] { return all_have_ended(); });
    });
    for (auto& thread : threads_) thread.join();
    if (interrupted_) return interrupted_status;
    return failed_ ? failure_status : 0;
  }

private:
  struct script {
    std::string file;
    int reference = LUA_NOREF;  // to the function, in Lua's registry
  };

  bool load(lua_State* state) {
    for (auto& one : scripts_) {
      if (luaL_loadfile(state, one.file.c_str()) == LUA_OK) {
        one.reference = luaL_ref(state, LUA_REGISTRYINDEX);
        continue;
      }
      complain(lua_tostring(state, -1));
      lua_pop(state, 1);
      failed_ = true;
    }
    return !failed_;
  }

  void start() {
    try {
      for (std::size_t i = 0; i < scripts_.size(); ++i) {
        threads_.emplace_back([this, i] { run_one(i); });
        ++started_;
      }
    } catch (const std::system_error& error) {
      complain(fmt::format("cannot start a thread for {}: {}", scripts_[threads_.size()].file,
                           error.what()));
      failed_ = true;
    }
  }

  void run_one(std::size_t index) {
    std::optional<std::string> message;
    universe_.run([&](script_thread& self) {
      if (!ending_) message = call(self, index);
      ++ended_;
      universe_.announce();
    });
    if (message) complain(*message);
  }

  /// The message of its error, if there is something to say.
  std::optional<std::string> call(script_thread& self, std::size_t index) {
    auto* const state = self.state();
    lua_rawgeti(state, LUA_REGISTRYINDEX, scripts_[index].reference);
    lua_pushinteger(state, static_cast<lua_Integer>(index) + 1);
    if (self.call(1, 0)) return std::nullopt;
    if (self.is_ended() && !interrupted_) return std::nullopt;
    if (!self.is_ended()) failed_ = true;
    return lua_tostring(state, -1);
  }

  void end(const std::string& why) {
    ending_ = true;
    universe_.end_scripts(why);
  }

  [[nodiscard]] bool all_have_ended() const noexcept { return ended_ == started_; }

  universe& universe_;
  std::vector<script> scripts_;
  std::vector<std::thread> threads_;
  std::size_t started_ = 0;
  std::size_t ended_ = 0;
  bool ending_ = false;
  bool failed_ = false;
  bool interrupted_ = false;
};

struct options {
  std::string lock = conch::fmq_lock::traits.name;
  std::string checkpoints;
  std::vector<std::string> files;
};

constexpr const char* footer = R"(
A script is told its number (from 1) as its argument (...). Globals are shared. Beside Lua's libraries
there are sleep(seconds), tcp.listen([port]), tcp.connect(port) and, of sockets, accept, read, write
and close; print and these let other scripts run while they wait.

The exit status is 1 after an error in a script, 2 if the command line is wrong and 130 after Ctrl-C.)";

/// Throws CLI::ParseError.
options parse(CLI::App& program, int argc, char** argv) {
  options typed;
  program
      .add_option("--lock", typed.lock, "The lock that all scripts share; by default " + typed.lock)
      ->type_name("NAME")
      ->check(CLI::IsMember(names([](const auto&) { return true; })));
  program
      .add_option(
          "--checkpoints", typed.checkpoints,
          "Where a running script lets others in: 'pushed' when one of them asks (the "
          "default where the lock can: " +
              fmt::format("{}", fmt::join(names([](const auto& l) { return l.can_push; }), ", ")) +
              "), or 'counted' at every 100th instruction, which slows Lua down")
      ->type_name("WAY")
      ->check(CLI::IsMember({"pushed", "counted"}));
  program.add_option("FILE", typed.files, "Lua scripts, each of which runs in a thread")
      ->required();
  program.footer(footer);
  program.parse(argc, argv);
  return typed;
}

int run_program(int argc, char** argv) {
  CLI::App program("Runs Lua scripts at once, in one universe under one lock", "lua_threads");
  try {
    const auto typed = parse(program, argc, argv);
    const auto lock = *std::find_if(locks().begin(), locks().end(),
                                    [&](auto& l) { return l.name == typed.lock; });
    auto way = lock.default_way;
    if (!typed.checkpoints.empty())
      way = typed.checkpoints == "pushed" ? checkpoints::pushed : checkpoints::counted;
    if (way == checkpoints::pushed && !lock.can_push) {
      complain(
          fmt::format("--checkpoints pushed needs a lock that asks: {}; {} never does, and "
                      "takes 'counted'",
                      fmt::join(names([](const auto& l) { return l.can_push; }), ", "), lock.name));
      return usage_status;
    }
    const auto where = lock.make(way);
    return scripts(*where, typed.files).run();
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    complain(error.what());
    return usage_status;
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_program(argc, argv);
  } catch (const std::exception& error) {
    complain(error.what());
    return failure_status;
  }
}
