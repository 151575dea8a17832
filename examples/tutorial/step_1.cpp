// SPDX-License-Identifier: MIT
// Step 1 of docs/tutorial.md: a virtual machine for one thread.

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <span>
#include <system_error>
#include <utility>

#include <unistd.h>

namespace {

enum class opcode { set, add, loop, jump, receive, send, halt };

struct instruction {
  opcode code;
  std::size_t operand = 0;
};

/// Bytes from one thread to another.
class channel {
public:
  channel() {
    if (::pipe(ends_.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;
  ~channel() {
    close();
    ::close(ends_[0]);
  }
  /// Waits for a byte. False at the end.
  [[nodiscard]] bool take(char& byte) const { return ::read(ends_[0], &byte, 1) == 1; }
  /// Waits for room.
  void put(char byte) const {
    if (::write(ends_[1], &byte, 1) != 1)
      throw std::system_error(errno, std::generic_category(), "write");
  }
  /// Nothing more comes.
  void close() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

private:
  std::array<int, 2> ends_{};
};

/// What a thread of the machine is to do.
struct script {
  std::span<const instruction> code;
  const channel* input = nullptr;
  channel* output = nullptr;  // closed when the script halts
};

constexpr std::array counts{instruction{opcode::set, 1'000'000}, instruction{opcode::add, 1},
                            instruction{opcode::loop, 1}, instruction{opcode::halt}};
constexpr std::array echoes{instruction{opcode::receive, 3}, instruction{opcode::send},
                            instruction{opcode::jump, 0}, instruction{opcode::halt}};

std::size_t total = 0;  // what all scripts share

void run(const script& self) {
  std::size_t next = 0;
  std::size_t counter = 0;
  char byte = 'c';
  for (;;) {
    const auto [code, operand] = self.code[next++];
    switch (code) {
      case opcode::set:
        counter = operand;
        break;
      case opcode::add:
        total += operand;
        break;
      case opcode::loop:  // back, as often as `set` has said
        if (--counter > 0) next = operand;
        break;
      case opcode::jump:
        next = operand;
        break;
      case opcode::receive:  // a byte, or a jump at the end
        // NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): a script that receives has an input
        if (!self.input->take(byte)) next = operand;
        break;
      case opcode::send:
        self.output->put(byte);  // NOLINT(clang-analyzer-core.CallAndMessage): likewise
        break;
      case opcode::halt:
        if (self.output != nullptr) self.output->close();
        return;
    }
  }
}

}  // namespace

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  channel requests;
  channel answers;
  for (const char byte : {'o', 'n'}) requests.put(byte);
  requests.close();
  run({counts});
  run({echoes, &requests, &answers});
  std::size_t echoed = 0;
  for (char byte = 0; answers.take(byte);) ++echoed;
  std::printf("counted to %zu, echoed %zu bytes\n", total, echoed);
  return total == 1'000'000 && echoed == 2 ? 0 : 1;
}
