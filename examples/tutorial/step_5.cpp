// SPDX-License-Identifier: MIT
// Step 5 of docs/tutorial.md: Ctrl-C reaches a main thread that waits.

#include <conch/conch.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace {

enum class opcode { set, add, loop, jump, receive, send, foreign, halt };

struct instruction {
  opcode code;
  std::size_t operand = 0;
};

/// Wakes a thread that waits, or that is about to: what was rung stays until it is silenced.
class bell {
public:
  bell() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  bell(const bell&) = delete;
  bell& operator=(const bell&) = delete;
  ~bell() { ::close(descriptor_); }
  /// Any thread; async-signal-safe.
  static void ring(void* self) noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written =
        ::write(static_cast<bell*>(self)->descriptor_, &one, sizeof one);
  }
  void silence() const noexcept {
    std::uint64_t times = 0;
    [[maybe_unused]] const auto size = ::read(descriptor_, &times, sizeof times);
  }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

private:
  int descriptor_;
};

enum class taken { byte, end, nothing };

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
  /// Waits for a byte, or for the bell.
  [[nodiscard]] taken take(char& byte, const bell& wake_up) const {
    std::array<::pollfd, 2> watched{{{ends_[0], POLLIN, 0}, {wake_up.descriptor(), POLLIN, 0}}};
    if (::poll(watched.data(), watched.size(), -1) < 0) return taken::nothing;  // a signal
    if (watched[1].revents != 0) {
      wake_up.silence();
      return taken::nothing;
    }
    return ::read(ends_[0], &byte, 1) == 1 ? taken::byte : taken::end;
  }
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

/// A byte from the input; false at the end. What comes up for the thread meanwhile is done.
bool receive(const channel& input, char& byte, bell& wake_up) {
  for (;;) {
    auto got = taken::nothing;
    {
      const conch::released others_run(vm, &bell::ring, &wake_up);
      got = input.take(byte, wake_up);
    }
    if (got != taken::nothing) return got == taken::byte;
    vm.checkpoint();
  }
}

void run(const script& self) {
  bell wake_up;
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
      case opcode::receive:  // a byte, or a jump at the end
        if (!receive(*self.input, byte, wake_up)) next = operand;
        break;
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

/// What the handler of Ctrl-C throws.
struct interrupted {};

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
  vm.on_signal(SIGINT, [](int) { throw interrupted(); });
  channel requests;
  channel answers;
  std::vector<std::thread> threads;
  threads.emplace_back(run_attached, script{counts});
  threads.emplace_back(run_attached, script{counts});
  threads.emplace_back(run_attached, script{echoes, &requests, &answers});
  threads.emplace_back(run_attached, script{calls_out});
  threads.emplace_back(work_abroad, 10'000, add_from_abroad);  // not of the machine
  run({asks, &answers, &requests});
  channel silence;
  bool was_interrupted = false;
  threads.emplace_back([] { ::kill(::getpid(), SIGINT); });  // Ctrl-C, at some time
  try {
    run({echoes, &silence, &silence});  // waits for its own answer
  } catch (const interrupted&) {
    was_interrupted = true;
  }
  changed.wait([] { return ended == 4; });
  {
    const conch::released joining(vm);
    for (auto& thread : threads) thread.join();
  }
  std::printf("counted to %zu, %s\n", total, was_interrupted ? "interrupted" : "not interrupted");
  return total == 2'011'100 && was_interrupted ? 0 : 1;
}
