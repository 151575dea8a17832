// SPDX-License-Identifier: MIT
// Step 4 of docs/tutorial.md: a runtime in the place of the lock.

#include <conch/conch.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

namespace {

enum class opcode { set, add, loop, jump, receive, send, foreign, halt };

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
constexpr std::array asks{instruction{opcode::set, 100},   instruction{opcode::send},
                          instruction{opcode::receive, 5}, instruction{opcode::add, 1},
                          instruction{opcode::loop, 1},    instruction{opcode::halt}};

constexpr std::array calls_out{instruction{opcode::foreign, 1'000}, instruction{opcode::halt}};

conch::runtime<conch::fmq_lock> vm;

// What all scripts share, guarded by the lock of `vm`.
std::size_t total = 0;
std::size_t ended = 0;
conch::condition changed(vm);

/// A library that knows nothing of the machine, and calls back when it is done.
void work_abroad(std::size_t amount, void (*done)(std::size_t)) { done(amount); }

/// What it calls: on a thread of the machine that has let go, or on one that is not of the machine.
void add_from_abroad(std::size_t amount) {
  const auto here = vm.attach();
  total += amount;
}

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
        vm.checkpoint();  // whatever others want of this thread is done here
        break;
      case opcode::jump:
        next = operand;
        vm.checkpoint();
        break;
      case opcode::receive: {  // a byte, or a jump at the end
        const conch::released others_run(vm);
        if (!self.input->take(byte)) next = operand;
        break;
      }
      case opcode::send: {
        const conch::released others_run(vm);
        self.output->put(byte);
        break;
      }
      case opcode::foreign: {
        const conch::released others_run(vm);
        work_abroad(operand, add_from_abroad);
        break;
      }
      case opcode::halt:
        if (self.output != nullptr) self.output->close();
        return;
    }
  }
}

/// For a thread of its own.
void run_attached(const script& self) {
  const auto here = vm.attach();
  run(self);
  ++ended;
  changed.notify_all();
}

}  // namespace

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  const auto here = vm.attach();
  channel requests;
  channel answers;
  std::vector<std::thread> threads;
  threads.emplace_back(run_attached, script{counts});
  threads.emplace_back(run_attached, script{counts});
  threads.emplace_back(run_attached, script{echoes, &requests, &answers});
  threads.emplace_back(run_attached, script{calls_out});
  threads.emplace_back(work_abroad, 10'000, add_from_abroad);  // not of the machine
  run({asks, &answers, &requests});
  changed.wait([] { return ended == 4; });
  {
    const conch::released joining(vm);
    for (auto& thread : threads) thread.join();
  }
  std::printf("counted to %zu\n", total);
  return total == 2'011'100 ? 0 : 1;
}
