// SPDX-License-Identifier: MIT
#include "own_program.hpp"

#include "../sockets.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <system_error>

namespace conch::lab {

namespace {

[[noreturn]] void fail(int error, const char* call) {
  throw std::system_error(error, std::generic_category(), call);
}

class spawn_actions {
public:
  spawn_actions() { ::posix_spawn_file_actions_init(&native_); }
  ~spawn_actions() { ::posix_spawn_file_actions_destroy(&native_); }
  spawn_actions(const spawn_actions&) = delete;
  spawn_actions& operator=(const spawn_actions&) = delete;
  ::posix_spawn_file_actions_t* get() noexcept { return &native_; }

private:
  ::posix_spawn_file_actions_t native_{};
};

/// Its standard output is the given file.
::pid_t spawn(std::vector<std::string>& arguments, int output) {
  spawn_actions actions;
  ::posix_spawn_file_actions_adddup2(actions.get(), output, STDOUT_FILENO);
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (auto& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::pid_t child = -1;
  const int error =
      ::posix_spawn(&child, "/proc/self/exe", actions.get(), nullptr, pointers.data(), environ);
  if (error != 0) fail(error, "posix_spawn");
  return child;
}

/// Appends what there is to be read now.
void drain(int pipe, std::string& text) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const auto size = ::read(pipe, buffer.data(), buffer.size());
    if (size <= 0) return;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
}

/// Its status; nothing if there was an interrupt meanwhile, which the child is told of too. Reads
/// what it writes.
std::optional<int> wait_for(::pid_t child, int pipe, std::string& text, interrupts& interrupts) {
  constexpr std::chrono::milliseconds beat{50};
  int status = 0;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    drain(pipe, text);
    if (!interrupts.wait_until(clock::now() + beat)) continue;
    ::kill(child, SIGTERM);
    ::waitpid(child, &status, 0);
    return std::nullopt;
  }
  drain(pipe, text);
  if (interrupts.pending()) return std::nullopt;  // it may have seen the interrupt first
  return status;
}

}  // namespace

std::optional<nlohmann::json> run_own_program(std::vector<std::string> arguments,
                                              interrupts& interrupts) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) fail(errno, "pipe2");
  const descriptor output(ends[0]);
  const descriptor input(ends[1]);
  const descriptor nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (nowhere.get() < 0) fail(errno, "open");
  arguments.insert(arguments.begin(), "conch-lab");
  arguments.insert(arguments.end(),
                   {"--json", fmt::format("/proc/{}/fd/{}", ::getpid(), input.get())});
  std::string text;
  const auto status = wait_for(spawn(arguments, nowhere.get()), output.get(), text, interrupts);
  if (!status) return std::nullopt;
  if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0)
    throw std::runtime_error(fmt::format("{} failed", fmt::join(arguments, " ")));
  return nlohmann::json::parse(text);
}

}  // namespace conch::lab
