// SPDX-License-Identifier: MIT
#include "futex_count.hpp"

#include "../common/futex_counter.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>

namespace conch::bench {

namespace {

constexpr unsigned patience = 20;  // seconds

const char* why_not = "";

[[noreturn]] void be_the_child(int out, const std::function<double()>& measure) {
  ::alarm(patience);
  if (count_futex_calls_of_this_thread()) {
    const double result = measure();
    if (::write(out, &result, sizeof result) == sizeof result) ::_exit(EXIT_SUCCESS);
  }
  ::_exit(EXIT_FAILURE);
}

std::optional<double> result_of_child(int in, ::pid_t child) {
  double result = 0;
  ::ssize_t got = 0;
  do got = ::read(in, &result, sizeof result);
  while (got < 0 && errno == EINTR);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (got == sizeof result) return result;
  const bool forbidden = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE;
  why_not = forbidden ? "the system allows no seccomp filter, or is not Linux on x86-64 or ARM64"
                      : "a process that counted failed";
  return std::nullopt;
}

}  // namespace

const char* why_no_futex_count() noexcept { return why_not; }

std::optional<double> counting_futex_calls(const std::function<double()>& measure) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return std::nullopt;
  const auto child = ::fork();
  if (child == 0) be_the_child(pipe[1], measure);
  ::close(pipe[1]);
  const auto result = child > 0 ? result_of_child(pipe[0], child) : std::nullopt;
  ::close(pipe[0]);
  return result;
}

}  // namespace conch::bench
