// SPDX-License-Identifier: MIT
// Step 7 of docs/tutorial.md: ending one thread, all threads, and the machine.

#include <conch/conch.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <latch>
#include <span>
#include <system_error>
#include <thread>
#include <utility>

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

constexpr std::array echoes{instruction{opcode::receive, 3}, instruction{opcode::send},
                            instruction{opcode::jump, 0}, instruction{opcode::halt}};
constexpr std::array never_ends{instruction{opcode::add, 1}, instruction{opcode::jump, 0}};
constexpr std::array goes_abroad{instruction{opcode::foreign}, instruction{opcode::halt}};

conch::runtime<conch::fmq_lock> vm({.when_finalized = conch::finalized_threads::throw_error});

// What all scripts share, guarded by the lock of `vm`.
std::size_t total = 0;
conch::condition changed(vm);

std::latch go_home(1);  // for threads abroad

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
        go_home.wait();  // nothing can end this call
        break;
      }
      case opcode::halt:
        if (self.output != nullptr) self.output->close();
        return;
    }
  }
}

/// What one thread raises in another.
struct enough {};

enum class ending { none, halted, raised, stopped, turned_away };

ending end_of(const script& what) {
  try {
    run(what);
    return ending::halted;
  } catch (const enough&) {
    return ending::raised;
  } catch (const conch::stop_requested&) {
    return ending::stopped;
  }
}

/// A thread of the machine.
struct worker {
  conch::posix_platform::thread_id id = 0;  // once it is attached
  ending end = ending::none;
  std::thread thread;

  void start(const script& what) {
    thread = std::thread([this, what] {
      try {
        const auto here = vm.attach();
        id = conch::posix_platform::this_thread();
        changed.notify_all();
        end = end_of(what);
        changed.notify_all();
      } catch (const conch::runtime_finalized&) {
        end = ending::turned_away;  // without the lock: to be looked at after the join
      }
    });
  }
};

}  // namespace

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  const auto here = vm.attach();
  channel silence;
  worker hog;
  worker server;
  worker traveller;
  hog.start({never_ends});
  server.start({echoes, &silence, &silence});
  traveller.start({goes_abroad});
  changed.wait([&] { return hog.id != 0 && server.id != 0 && traveller.id != 0; });

  // One thread.
  vm.raise_in(hog.id, std::make_exception_ptr(enough()));
  changed.wait([&] { return hog.end != ending::none; });

  // All threads: this one too.
  vm.on_signal(SIGTERM, [](int) { vm.request_stop(); });
  ::kill(::getpid(), SIGTERM);
  auto main_end = ending::none;
  try {
    changed.wait([] { return false; });
  } catch (const conch::stop_requested&) {
    main_end = ending::stopped;
  }
  changed.wait([&] { return server.end != ending::none; });

  // The machine: who comes back from now on is turned away.
  vm.finalize();
  go_home.count_down();
  {
    const conch::released joining(vm);
    for (auto* one : {&hog, &server, &traveller}) one->thread.join();
  }
  const bool as_told = hog.end == ending::raised && main_end == ending::stopped &&
                       server.end == ending::stopped && traveller.end == ending::turned_away;
  std::printf("counted to %zu, %s\n", total,
              as_told ? "and all ended as told" : "but not all ended as told");
  return as_told ? 0 : 1;
}
