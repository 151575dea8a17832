// SPDX-License-Identifier: MIT
#pragma once

#include "../common/cpu_time.hpp"
#include "interrupts.hpp"
#include "sockets.hpp"

#include <sys/types.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conch::lab {

/// Another program, whose standard input and output are in the hands of this one. It never outlives
/// this process, whatever ends it.
class child_program {
public:
  /// Looks for command[0] as a shell does. A program that cannot be run ends with status 127 and a
  /// complaint. Precondition: the calling process has one thread. Throws std::system_error.
  explicit child_program(const std::vector<std::string>& command);
  /// Ends it at once if it has not ended by itself.
  ~child_program();
  child_program(const child_program&) = delete;
  child_program& operator=(const child_program&) = delete;

  void send_line(std::string_view line) noexcept;
  /// The next line that it has written to its standard output; nothing if none is complete.
  std::optional<std::string> next_line();
  /// Its exit status, or 128 and the number of the signal that ended it; nothing while it runs.
  std::optional<int> status();
  /// The first lines of what it has written to its standard error.
  [[nodiscard]] std::string complaint() const;
  /// The CPU time that it has used. Precondition: status() has not found it ended.
  [[nodiscard]] cpu_time used() const noexcept;

private:
  void take_arrived_output();

  descriptor control_;
  descriptor errors_;
  ::pid_t process_ = -1;
  std::optional<int> status_;
  std::string unread_;
};

/// Sleeps until `condition` is true, which is asked every few milliseconds. False if it is not true
/// at the deadline or there is an interrupt before.
bool wait_until(const std::function<bool()>& condition, clock::time_point deadline,
                interrupts& interrupts);

/// What a program that ran to its end left.
struct program_output {
  int status = 0;
  std::vector<std::string> lines;  ///< of its standard output
  std::string complaint;           ///< the first lines of its standard error
};

/// Runs a program to its end. Nothing if it does not end in a minute, or at an interrupt.
std::optional<program_output> output_of(const std::vector<std::string>& command,
                                        interrupts& interrupts);

}  // namespace conch::lab
