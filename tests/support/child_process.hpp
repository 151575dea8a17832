// SPDX-License-Identifier: MIT
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

namespace conch::testing {

/// How a child process ended, and what it wrote to its error stream.
struct child_end {
  int status = 0;
  std::string errors;

  [[nodiscard]] bool exited_with(int code) const {
    return WIFEXITED(status) && WEXITSTATUS(status) == code;
  }
  [[nodiscard]] bool killed_by(int signal) const {
    return WIFSIGNALED(status) && WTERMSIG(status) == signal;
  }
  [[nodiscard]] bool said(const std::string& words) const {
    return errors.find(words) != std::string::npos;
  }
  /// For the report of a test that failed.
  [[nodiscard]] std::string describe() const {
    const auto how = WIFSIGNALED(status) ? "killed by signal " + std::to_string(WTERMSIG(status))
                                         : "exited with " + std::to_string(WEXITSTATUS(status));
    return how + ", saying: " + errors;
  }
};

namespace detail {
/// A child has none of the test program's handlers, leaves no core file, and cannot hang for ever.
inline void prepare_child(int error_stream) {
  ::dup2(error_stream, STDERR_FILENO);
  for (const int signal : {SIGABRT, SIGSEGV, SIGTERM, SIGALRM}) ::signal(signal, SIG_DFL);
  const ::rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::alarm(30);
}
}  // namespace detail

/// Runs body() in a forked child, which then exits with what it returns; for bodies that fork while
/// other threads run, only the caller is left in the child. The body must not use Catch2.
template <class Body>
child_end run_in_child(Body body) {
  int ends[2];
  if (::pipe(ends) != 0) return {.status = -1, .errors = "no pipe"};
  std::fflush(nullptr);
  const auto child = ::fork();
  if (child == 0) {
    detail::prepare_child(ends[1]);
    ::_exit(body());
  }
  ::close(ends[1]);
  child_end end;
  char buffer[512];
  for (::ssize_t count = 0; (count = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    end.errors.append(buffer, static_cast<std::size_t>(count));
  ::close(ends[0]);
  ::waitpid(child, &end.status, 0);
  return end;
}

}  // namespace conch::testing
