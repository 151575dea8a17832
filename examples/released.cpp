// SPDX-License-Identifier: MIT
// An interpreter in small: a CPU-bound thread computes while another one serves a pipe. The lock is
// held while "running code" and released around each blocking call, as CPython does.

#include <unistd.h>
#include <conch/fmq_lock.hpp>

#include <array>
#include <cstdio>
#include <mutex>
#include <thread>

namespace {

conch::fmq_lock interpreter;

/// Lets go of the lock for a scope in which the thread may block.
class released {
public:
  explicit released(conch::fmq_lock& lock) : lock_(lock) { lock_.unlock(); }
  released(const released&) = delete;
  released& operator=(const released&) = delete;
  ~released() { lock_.lock(); }

private:
  conch::fmq_lock& lock_;
};

bool done = false;  // guarded by the interpreter's lock, as all that code shares
unsigned long computed = 0;

void compute() {
  const std::scoped_lock turn(interpreter);
  while (!done) {
    ++computed;
    interpreter.checkpoint();
  }
}

int serve(int requests) {
  const std::scoped_lock turn(interpreter);
  int served = 0;
  for (char byte = 0;; ++served) {
    const released blocking(interpreter);
    if (::read(requests, &byte, 1) != 1) break;
  }
  done = true;
  return served;
}

}  // namespace

int main() {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return 1;
  std::thread hog(compute);
  std::thread client([&] {
    for (char byte = 0; byte < 100; ++byte)
      if (::write(pipe[1], &byte, 1) != 1) break;
    ::close(pipe[1]);
  });
  const int served = serve(pipe[0]);
  client.join();
  hog.join();
  ::close(pipe[0]);
  std::printf("served %d requests while computing %lu steps\n", served, computed);
  return served == 100 ? 0 : 1;
}
