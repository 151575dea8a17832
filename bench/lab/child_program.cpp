// SPDX-License-Identifier: MIT
#include "child_program.hpp"

#include "system_call.hpp"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <span>
#include <system_error>

namespace conch::lab {

namespace {

constexpr int cannot_run_status = 127;  // as of a shell

/// A string for execvp(), which does not write to it although its type does not say so.
std::vector<char*> arguments_of(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  return arguments;
}

[[noreturn]] void become(char* const* arguments, int control, int errors, ::pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(cannot_run_status);
  ::dup2(control, STDIN_FILENO);
  ::dup2(control, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  ::execvp(arguments[0], arguments);
  const auto reason = std::generic_category().message(errno);
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, reason.data(), reason.size());
  ::_exit(cannot_run_status);
}

int to_status(int waited) {
  return WIFSIGNALED(waited) ? 128 + WTERMSIG(waited) : WEXITSTATUS(waited);
}

}  // namespace

child_program::child_program(const std::vector<std::string>& command)
    : errors_(checked(::memfd_create("errors", MFD_CLOEXEC), "memfd_create")) {
  auto control = connect_to_child();
  const auto arguments = arguments_of(command);
  const auto parent = ::getpid();
  process_ = checked(::fork(), "fork");
  if (process_ == 0) become(arguments.data(), control.client.get(), errors_.get(), parent);
  control_ = std::move(control.server);
}

child_program::~child_program() {
  if (status_) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void child_program::send_line(std::string_view line) noexcept {
  // If it has ended, that is seen when its answer does not come.
  send_all(control_.get(), std::as_bytes(std::span(line)));
  send_all(control_.get(), std::as_bytes(std::span("\n", 1)));
}

std::optional<std::string> child_program::next_line() {
  take_arrived_output();
  const auto end = unread_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  auto line = unread_.substr(0, end);
  unread_.erase(0, end + 1);
  return line;
}

void child_program::take_arrived_output() {
  std::array<char, 4096> bytes{};
  for (;;) {
    const auto count = ::recv(control_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count <= 0) return;
    unread_.append(bytes.data(), static_cast<std::size_t>(count));
  }
}

std::optional<int> child_program::status() {
  int waited = 0;
  if (!status_ && ::waitpid(process_, &waited, WNOHANG) == process_) status_ = to_status(waited);
  return status_;
}

std::string child_program::complaint() const {
  constexpr int most_lines = 5;
  std::string text(2000, '\0');
  const auto count = ::pread(errors_.get(), text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  std::size_t end = 0;
  for (int i = 0; i < most_lines && end != std::string::npos; ++i) end = text.find('\n', end + 1);
  if (end != std::string::npos) text.resize(end);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

cpu_time child_program::used() const noexcept {
  ::clockid_t its_clock{};
  ::timespec time{};
  if (::clock_getcpuclockid(process_, &its_clock) != 0 || ::clock_gettime(its_clock, &time) != 0)
    return {};
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

bool wait_until(const std::function<bool()>& condition, clock::time_point deadline,
                interrupts& interrupts) {
  constexpr std::chrono::milliseconds beat{5};
  while (!condition())
    if (clock::now() >= deadline || interrupts.wait_until(clock::now() + beat)) return false;
  return true;
}

std::optional<program_output> output_of(const std::vector<std::string>& command,
                                        interrupts& interrupts) {
  child_program program(command);
  program_output output;
  const auto take_lines = [&] {
    while (auto line = program.next_line()) output.lines.push_back(std::move(*line));
  };
  const auto ended = [&] {
    take_lines();
    return program.status().has_value();
  };
  if (!wait_until(ended, clock::now() + std::chrono::minutes(1), interrupts)) return std::nullopt;
  take_lines();  // those that came with its end
  output.status = *program.status();
  output.complaint = program.complaint();
  return output;
}

}  // namespace conch::lab
