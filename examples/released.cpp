// SPDX-License-Identifier: MIT
// An interpreter in small: a CPU-bound thread computes while another one serves a pipe. A thread that
// is attached runs, and lets go around what may block; Ctrl-C ends the program in good order.

#include <conch/conch.hpp>

#include <array>
#include <csignal>
#include <cstdio>
#include <thread>

#include <unistd.h>

namespace {

conch::runtime<conch::fmq_lock> interpreter;

bool done = false;  // guarded by the interpreter's lock, as all that code shares
unsigned long computed = 0;

void compute() {
  const auto here = interpreter.attach();
  while (!done) {
    ++computed;
    interpreter.checkpoint();  // one load and a branch while nobody wants anything
  }
}

int serve(int requests) {
  int served = 0;
  for (char byte = 0;; ++served) {
    interpreter.checkpoint();
    const conch::released blocking(interpreter);
    if (::read(requests, &byte, 1) != 1) break;
  }
  done = true;
  return served;
}

}  // namespace

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return 1;
  const auto here = interpreter.attach();
  interpreter.on_signal(SIGINT, [](int) { done = true; });
  std::thread hog(compute);
  std::thread client([&] {
    for (char byte = 0; byte < 100; ++byte)
      if (::write(pipe[1], &byte, 1) != 1) break;
    ::close(pipe[1]);
  });
  const int served = serve(pipe[0]);
  {
    const conch::released joining(interpreter);
    client.join();
    hog.join();
  }
  ::close(pipe[0]);
  std::printf("served %d requests while computing %lu steps\n", served, computed);
  return served == 100 ? 0 : 1;
}
