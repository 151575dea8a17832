// SPDX-License-Identifier: MIT

// Ends a process by the end of main() while threads are out of a runtime of static storage, which has
// ended: wherever they come back, they do no harm. Exits with 0.
//
// usage: runtime-end-of-process LOCK, of all_locks in ../support/locks.hpp by number

#include "attached.hpp"

#include <conch/runtime/condition.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

using namespace conch::testing;  // NOLINT(google-build-using-namespace): the tests' own helpers
using conch::released;
using conch::runtime;

namespace {

template <class Lock>
struct universe {
  runtime<Lock> rt;
  conch::condition<Lock> never{rt};
  std::atomic<int> attached{0};

  template <class Body>
  void add(Body body) {
    std::thread([this, body] {
      const auto self = rt.attach();
      ++attached;
      body();
      std::abort();  // it ran on
    }).detach();
  }

  void run() {
    for (int i = 0; i < 3; ++i)
      add([this] {
        for (;;) {
          rt.checkpoint();
          rt.yield();
        }
      });
    add([this] { never.wait([] { return false; }); });
    add([this] {
      for (;;) never.wait_until(conch::posix_platform::now() + std::chrono::microseconds(100));
    });
    add([this] {  // it comes back again and again, until it does not
      for (;;) {
        const released<Lock> out(rt);
        std::this_thread::yield();
      }
    });
    add([this] {
      for (;;) released_if_slow(rt, [] { std::this_thread::yield(); });
    });
    add([this] {  // it never comes back
      sleeping_place place;
      const released<Lock> out(rt);
      for (;;) place.sleep();
    });
    const auto self = rt.attach();
    rt.follow_forks();
    come_to_checkpoints_until(rt, [this] { return attached == 8; });
    rt.finalize();
    rt.checkpoint();
  }
};

template <std::size_t... I>
bool run(std::size_t number, std::index_sequence<I...>) {
  const auto run_one = []<class Lock>(Lock*) {
    static universe<Lock> everything;
    everything.run();
  };
  return (
      (number == I && (run_one(static_cast<std::tuple_element_t<I, all_locks>*>(nullptr)), true)) ||
      ...);
}

}  // namespace

int main(int count, char** arguments) {
  const auto number = count == 2 ? std::stoul(arguments[1]) : 99UL;
  return run(number, std::make_index_sequence<std::tuple_size_v<all_locks>>()) ? 0 : 2;
}
