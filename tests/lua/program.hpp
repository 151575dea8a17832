// SPDX-License-Identifier: MIT
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace conch::testing {

/// A program under test, of which all output is read, errors too.
class program {
public:
  explicit program(std::vector<std::string> command) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    std::vector<char*> words;
    for (auto& word : command) words.push_back(word.data());
    words.push_back(nullptr);
    child_ = ::fork();
    if (child_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::dup2(ends[1], STDERR_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::alarm(100);  // a program that hangs does not outlive the test for long
      ::execv(words[0], words.data());
      ::_exit(127);
    }
    ::close(ends[1]);
    output_end_ = ends[0];
  }
  program(const program&) = delete;
  program& operator=(const program&) = delete;
  ~program() {
    if (child_ > 0) {
      ::kill(child_, SIGKILL);
      ::waitpid(child_, nullptr, 0);
    }
    ::close(output_end_);
  }

  /// Reads on until that has been said so often in all. False if the program has ended before.
  bool says(const std::string& words, int times = 1) {
    while (count(words) < times)
      if (!read_more()) return false;
    return true;
  }

  void send(int signo) const { ::kill(child_, signo); }

  /// Waits for its end. Its exit status, or minus the signal that killed it.
  int end() {
    while (read_more()) {
    }
    int status = 0;
    ::waitpid(std::exchange(child_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  /// What it has said so far.
  [[nodiscard]] const std::string& output() const noexcept { return output_; }
  [[nodiscard]] int count(const std::string& words) const {
    int found = 0;
    for (auto at = output_.find(words); at != std::string::npos; at = output_.find(words, at + 1))
      ++found;
    return found;
  }

private:
  bool read_more() {
    char bytes[1024];
    const auto size = ::read(output_end_, bytes, sizeof bytes);
    if (size < 0 && errno == EINTR) return true;
    if (size <= 0) return false;
    output_.append(bytes, static_cast<std::size_t>(size));
    return true;
  }

  ::pid_t child_ = -1;
  int output_end_ = -1;
  std::string output_;
};

}  // namespace conch::testing
