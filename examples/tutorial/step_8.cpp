// SPDX-License-Identifier: MIT
// Step 8 of docs/tutorial.md: who got how much, and who waited for how long.

#include <conch/conch.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

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
  [[nodiscard]] bool put(char byte) const { return ::write(ends_[1], &byte, 1) == 1; }
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
constexpr std::array asks{instruction{opcode::set, 1'000}, instruction{opcode::send},
                          instruction{opcode::receive, 5}, instruction{opcode::add, 1},
                          instruction{opcode::loop, 1},    instruction{opcode::halt}};

constexpr std::array never_ends{instruction{opcode::add, 1}, instruction{opcode::jump, 0}};

using lock = conch::basic_fmq_lock<conch::posix_platform, conch::event_counter>;
conch::runtime<lock> vm;

// What all scripts share, guarded by the lock of `vm`.
std::size_t total = 0;
std::size_t started = 0;
std::size_t ended = 0;
conch::condition changed(vm);

using duration = conch::posix_platform::duration;

/// What one thread had, and what it waited.
struct figures {
  std::size_t steps = 0;
  std::vector<duration> waits;  // for the lock, after each call that may block
};

/// Makes a call without the lock, and notes for how long the thread then waits for it.
template <class Call>
auto measured(figures& mine, Call call) {
  auto called = conch::posix_platform::time_point();
  const auto result = [&] {
    const conch::released others_run(vm);
    auto made = call();
    called = conch::posix_platform::now();
    return made;
  }();
  mine.waits.push_back(conch::posix_platform::now() - called);
  return result;
}

void run(const script& self, figures& mine) {
  std::size_t next = 0;
  std::size_t counter = 0;
  char byte = 'c';
  for (;;) {
    const auto [code, operand] = self.code[next++];
    ++mine.steps;
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
        if (!measured(mine, [&] { return self.input->take(byte); })) next = operand;
        break;
      case opcode::send:
        if (!measured(mine, [&] { return self.output->put(byte); })) return;
        break;
      case opcode::halt:
        if (self.output != nullptr) self.output->close();
        return;
    }
  }
}

/// Runs a script in a thread of its own, until it halts or is stopped.
std::thread start(const script& what, figures& its) {
  return std::thread([what, &its] {
    const auto here = vm.attach();
    ++started;
    changed.notify_all();
    try {
      run(what, its);
    } catch (const conch::stop_requested&) {
    }
    ++ended;
    changed.notify_all();
  });
}

/// Jain's index: 1 if all are equal, 1/n if one has everything.
double evenness(std::span<const figures> all) {
  double sum = 0;
  double squares = 0;
  for (const auto& one : all) {
    const auto steps = static_cast<double>(one.steps);
    sum += steps;
    squares += steps * steps;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(all.size()) * squares) : 1;
}

double in_microseconds(duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

void print_waits(const char* who, figures& its) {
  auto& waits = its.waits;
  std::sort(waits.begin(), waits.end());
  std::printf("%s waited %zu times: p50 %.2f, p99 %.2f, most %.2f us\n", who, waits.size(),
              in_microseconds(waits[waits.size() / 2]),
              in_microseconds(waits[waits.size() * 99 / 100]), in_microseconds(waits.back()));
}

unsigned long long count_of(conch::lock_event event) { return vm.lock().observer()[event]; }

}  // namespace

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  const auto here = vm.attach();
  channel requests;
  channel answers;
  std::array<figures, 2> hogs;
  figures server;
  figures client;
  std::array threads{start({never_ends}, hogs[0]), start({never_ends}, hogs[1]),
                     start({echoes, &requests, &answers}, server)};
  changed.wait([] { return started == 3; });  // who is not attached cannot be stopped
  run({asks, &answers, &requests}, client);
  std::printf("%s\n", vm.describe().c_str());
  vm.terminate(std::make_exception_ptr(conch::stop_requested()));
  changed.wait([] { return ended == 3; });
  {
    const conch::released joining(vm);
    for (auto& thread : threads) thread.join();
  }

  std::printf("hogs: %zu and %zu steps, Jain's index %.3f\n", hogs[0].steps, hogs[1].steps,
              evenness(hogs));
  print_waits("client", client);
  print_waits("server", server);
  using enum conch::lock_event;
  std::printf("lock: taken %llu, handed over %llu, lent %llu, woken in vain %llu times\n",
              count_of(acquired), count_of(handoff), count_of(lent), count_of(vain_wakeup));
  const auto calls = client.waits.size() + server.waits.size();
  const bool adds_up = total == 1'000 + (hogs[0].steps + hogs[1].steps) / 2;
  return adds_up && client.waits.size() == 2'000 && calls <= count_of(acquired) ? 0 : 1;
}
