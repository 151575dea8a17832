// SPDX-License-Identifier: MIT
#include "terminal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace conch::lab {

void guard_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number, which is this one, opened the way in which it will not be used.
    ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

void print(std::string_view text) {
  errno = 0;
  const auto written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written != text.size() || std::fflush(stdout) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot write to standard output");
}

std::size_t display_width(std::string_view text) noexcept {
  const auto begins_character = [](char byte) { return (byte & '\xc0') != '\x80'; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), begins_character));
}

progress_line::progress_line() : visible_(::isatty(STDERR_FILENO) != 0) {}

void progress_line::show(std::string_view text) {
  if (!visible_) return;
  fmt::print(stderr, "\r{}\x1b[K", text);
  std::fflush(stderr);
  shown_ = true;
}

void progress_line::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace conch::lab
