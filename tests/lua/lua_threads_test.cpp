// SPDX-License-Identifier: MIT

// What the program lua_threads does with scripts. Loops allocate: ThreadSanitizer delivers a signal, and
// so a push, only where it sees the thread do something.

#include "program.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using conch::testing::program;

namespace {

struct setting {
  std::string lock;
  std::string way;
};

const std::vector<setting>& all_settings() {
  static const std::vector<setting> all{{"pthread_lock", "counted"}, {"sem_lock", "counted"},
                                        {"tick_gil", "counted"},     {"timed_gil", "counted"},
                                        {"timed_gil", "pushed"},     {"fmq_lock", "counted"},
                                        {"fmq_lock", "pushed"}};
  return all;
}

/// A folder of scripts, for a while.
class scripts {
public:
  scripts() {
    auto pattern = (std::filesystem::temp_directory_path() / "conch-lua-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  scripts(const scripts&) = delete;
  scripts& operator=(const scripts&) = delete;
  ~scripts() { std::filesystem::remove_all(folder_); }

  scripts& add(const std::string& text) {
    files_.push_back(folder_ / (std::to_string(files_.size() + 1) + ".lua"));
    std::ofstream(files_.back()) << text;
    return *this;
  }
  scripts& add_missing() {
    files_.push_back(folder_ / "missing.lua");
    return *this;
  }

  /// The words of a command that runs them all.
  [[nodiscard]] std::vector<std::string> command(
      const std::vector<std::string>& options = {}) const {
    std::vector<std::string> words{CONCH_LUA_THREADS};
    words.insert(words.end(), options.begin(), options.end());
    for (const auto& file : files_) words.push_back(file.string());
    return words;
  }
  [[nodiscard]] std::vector<std::string> command(const setting& with) const {
    return command({"--lock", with.lock, "--checkpoints", with.way});
  }

private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> files_;
};

}  // namespace

TEST_CASE("scripts share their globals, and each knows its number") {
  const auto with = GENERATE(from_range(all_settings()));
  CAPTURE(with.lock, with.way);
  const std::string count = R"(
    local me = ...
    _G["done" .. me] = me  -- one for each: a hook may come between a read and a write
    if me == 1 then
      while not (done2 and done3) do local allocated = {} end
      print("the sum is", done1 + done2 + done3)
    end)";
  scripts all;
  program ran(all.add(count).add(count).add(count).command(with));
  CHECK(ran.end() == 0);
  CHECK(ran.output() == "the sum is\t6\n");
}

TEST_CASE("a hog inside a coroutine lets others in") {
  const auto with = GENERATE(from_range(all_settings()));
  const std::string inside =
      GENERATE(as<std::string>(),  //
               "coroutine.wrap(hog)()", "assert(coroutine.resume(coroutine.create(hog)))",
               // the one that goes on after an inner one has ended
               "coroutine.wrap(function() "
               "  for i = 1, 3 do coroutine.wrap(function() end)() end "
               "  pcall(coroutine.wrap(error)) hog() end)()",
               "local object <const> = setmetatable({}, {__close = hog}) "
               "local co = coroutine.create(function() "
               "  local closed <close> = object coroutine.yield() end) "
               "coroutine.resume(co) assert(coroutine.close(co))");
  CAPTURE(with.lock, with.way, inside);
  scripts all;
  program ran(all.add("local function hog() hogging = true "
                      "while not done do local allocated = {} end end " +
                      inside + " print('let in')")
                  .add("while not hogging do sleep(0) end done = true")
                  .command(with));
  CHECK(ran.end() == 0);
  CHECK(ran.output() == "let in\n");
}

TEST_CASE("an error in a script ends the program with 1, a traceback and all other scripts") {
  const auto with = GENERATE(from_range(all_settings()));
  CAPTURE(with.lock, with.way);
  scripts all;
  program ran(all.add("ready1 = true while true do local allocated = {} end")
                  .add("ready2 = true sleep(1000)")
                  .add("ready3 = true tcp.listen():accept()")
                  .add("local closed <close> = setmetatable({}, "
                       "{__close = function() print('closed') end}) "
                       "ready4 = true sleep(1000)")
                  .add("while not (ready1 and ready2 and ready3 and ready4) do sleep(0) end "
                       "local function fails() error('it is broken') end fails()")
                  .command(with));
  CHECK(ran.end() == 1);
  CAPTURE(ran.output());
  CHECK(ran.count("5.lua:1: it is broken\nstack traceback:\n") == 1);
  CHECK(ran.count("in local 'fails'") == 1);
  CHECK(ran.count("closed\n") == 1);
  CHECK(ran.count("stack traceback") == 1);
}

TEST_CASE("a script that cannot be read or parsed ends the program with 1 before any runs") {
  const bool missing = GENERATE(true, false);
  scripts all;
  all.add("print('runs')");
  if (missing)
    all.add_missing();
  else
    all.add("this is no Lua");
  program ran(all.command());
  CHECK(ran.end() == 1);
  CAPTURE(ran.output());
  CHECK(ran.count("runs") == 0);
  CHECK(ran.count(missing ? "missing.lua" : "2.lua:1: syntax error") == 1);
}

TEST_CASE("a wrong command line is status 2, with what is allowed") {
  struct wrong {
    std::vector<std::string> options;
    std::string said;
  };
  const auto& [options, said] = GENERATE(values<wrong>(
      {{{"--lock", "mutex"}, "{pthread_lock,sem_lock,tick_gil,timed_gil,fmq_lock}"},
       {{"--checkpoints", "never"}, "{pushed,counted}"},
       {{"--lock", "sem_lock", "--checkpoints", "pushed"}, "a lock that asks: timed_gil, fmq_lock"},
       {{"--nonsense"}, "--nonsense"}}));
  scripts all;
  program ran(all.add("print('runs')").command(options));
  CHECK(ran.end() == 2);
  CAPTURE(ran.output());
  CHECK(ran.count(said) == 1);
  CHECK(ran.count("runs") == 0);
  program without_scripts({CONCH_LUA_THREADS});
  CHECK(without_scripts.end() == 2);
}

TEST_CASE("Ctrl-C raises an error in every script, and the program exits with 130") {
  const auto with = GENERATE(from_range(all_settings()));
  CAPTURE(with.lock, with.way);
  const std::string endless = "while true do local allocated = {} end";
  scripts all;
  program ran(all.add("print('runs') " + endless)
                  .add("print('runs') sleep(1000)")
                  .add("local server = tcp.listen() print('runs') server:accept()")
                  // These catch what they can, again and again.
                  .add("print('runs') while true do pcall(function() " + endless + " end) end")
                  .add("print('runs') while true do pcall(sleep, 1000) end")
                  .add("print('runs') while true do "
                       "coroutine.resume(coroutine.create(function() pcall(sleep, 1000) end)) end")
                  .command(with));
  REQUIRE(ran.says("runs\n", 6));
  ran.send(SIGINT);
  CHECK(ran.end() == 130);
  CAPTURE(ran.output());
  CHECK(ran.count("interrupted!\nstack traceback:") == 6);
}

TEST_CASE("a script can catch the interrupt to clean up") {
  const auto with = GENERATE(from_range(all_settings()));
  CAPTURE(with.lock, with.way);
  scripts all;
  program ran(all.add("local fine, message = pcall(function() print('runs') sleep(1000) end) "
                      "for i = 1, 50 do local allocated = {} end "
                      "print('caught', fine, message:match('interrupted!$'))")
                  .command(with));
  REQUIRE(ran.says("runs\n"));
  ran.send(SIGINT);
  CHECK(ran.end() == 130);
  CHECK(ran.output() == "runs\ncaught\tfalse\tinterrupted!\n");
}

TEST_CASE("a server and clients talk, in pieces and up to the end") {
  const auto with = GENERATE(from_range(all_settings()));
  CAPTURE(with.lock, with.way);
  const std::string client = R"(
    while not port do sleep(0) end
    local connection <close> = assert(tcp.connect(port))
    local long = ("0123456789"):rep(30000)
    for i = 1, 20 do
      connection:write("length " .. #long .. "\n" .. long)
      assert(connection:read(#long) == long)
    end
    print("as sent"))";
  scripts all;
  program ran(all.add(R"(
    local server <close>, chosen = tcp.listen()
    port = chosen
    for i = 1, 2 do
      local connection <close> = server:accept()
      while true do
        local head = connection:read(14)
        if not head then break end
        assert(head == "length 300000\n")
        connection:write(connection:read(300000))
      end
    end
    assert(not tcp.connect(1)))")
                  .add(client)
                  .add(client)
                  .command(with));
  CHECK(ran.end() == 0);
  CHECK(ran.output() == "as sent\nas sent\n");
}

TEST_CASE("closing a socket ends the wait of whoever reads from it or accepts") {
  const auto with = GENERATE(from_range(all_settings()));
  CAPTURE(with.lock, with.way);
  scripts all;
  program ran(all.add("server, port = tcp.listen() "
                      "other = tcp.connect(port) connection = server:accept() waits = 1 "
                      "print(connection:read())")
                  .add("while not waits do sleep(0) end waits = 2 print(server:accept())")
                  .add("while waits ~= 2 do sleep(0) end "
                       "connection:close() server:close() print(connection:read())")
                  .command(with));
  CHECK(ran.end() == 0);
  CHECK(ran.count("nil\tBad file descriptor\n") == 3);
}

TEST_CASE("the help text says what there is, and is status 0") {
  program ran({CONCH_LUA_THREADS, "--help"});
  CHECK(ran.end() == 0);
  for (const auto* const word : {"fmq_lock", "pushed", "sleep(seconds)", "130"})
    CHECK(ran.count(word) >= 1);
}
