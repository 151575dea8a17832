// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string_view>

namespace conch::lab {

/// Makes sure that no file or socket becomes standard input, output or error because the program
/// was started without one: writing there then fails as it should.
void guard_standard_streams();

/// Writes to standard output at once. Throws std::system_error if that is not possible.
void print(std::string_view text);

/// How many columns of a terminal a text in UTF-8 takes, none of whose characters is a wide one.
std::size_t display_width(std::string_view text) noexcept;

/// A line on the terminal that is written over, and is gone at the end; nothing where standard
/// error is no terminal.
class progress_line {
public:
  progress_line();
  ~progress_line() { clear(); }
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;

  [[nodiscard]] bool visible() const noexcept { return visible_; }
  void show(std::string_view text);
  void clear();

private:
  bool visible_;
  bool shown_ = false;
};

}  // namespace conch::lab
