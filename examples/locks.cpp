// SPDX-License-Identifier: MIT
// Each lock in turn, doing what it is for; docs/locks/ has a page on each. Exits with 0 if all went as
// it should.

#include <conch/fmq/wait_bound.hpp>
#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/stats.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <mutex>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#if defined(__clang__)
// Locks are taken on one thread and unlocked on another: more than the analysis can follow.
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

bool pthread_lock_passes_between_threads() {
  conch::pthread_lock working;
  int result = 0;
  working.lock();
  std::thread worker([&] {
    result = 42;
    working.unlock();  // by another thread than the one that took it
  });
  working.lock();  // blocks until the worker is done
  const bool done = result == 42;
  working.unlock();
  worker.join();
  return done;
}

bool sem_lock_passes_between_threads() {
  conch::sem_lock unanswered;
  unanswered.lock();
  std::thread other_end([&] { unanswered.unlock(); });
  const bool answered = unanswered.try_lock_for(10s);
  other_end.join();
  if (answered) unanswered.unlock();
  return answered;
}

bool tick_gil_wakes_in_vain() {
  conch::basic_tick_gil<conch::sem_lock, conch::event_counter> gil;
  gil.lock();
  std::thread waiter([&] {
    gil.lock();
    gil.unlock();
  });
  while (gil.waiters() == 0) std::this_thread::yield();
  while (!gil.checkpoint()) {  // the first, and then every 101st, lets go and takes the lock again
  }
  const auto releases = gil.observer()[conch::lock_event::forced_switch];
  const auto in_vain = gil.observer()[conch::lock_event::vain_wakeup];
  gil.unlock();
  waiter.join();
  std::printf("tick_gil: %ju releases for one waiter\n", std::uintmax_t{releases});
  return in_vain == releases - 1;
}

bool timed_gil_asks_after_an_interval() {
  conch::timed_gil gil(1ms);  // CPython: sys.setswitchinterval(0.001)
  gil.lock();
  const auto start = steady_clock::now();
  std::thread waiter([&] {
    gil.lock();
    gil.unlock();
  });
  while (!gil.checkpoint()) {  // true once the waiter has had the lock: it asks after 1 ms
  }
  const auto waited = steady_clock::now() - start;
  const auto switches = gil.switch_number();  // to this thread, to the waiter, and back
  gil.unlock();
  waiter.join();
  return waited >= 1ms && switches == 3;
}

bool fmq_lock_lets_io_in() {
  conch::fmq_lock big_lock;
  int served = 0;
  bool done = false;
  std::thread hog([&] {
    const std::scoped_lock turn(big_lock);
    while (!done) big_lock.checkpoint();  // never lets go by itself
  });
  for (int i = 0; i < 50; ++i) {
    std::this_thread::sleep_for(200us);  // I/O, without the lock
    const std::scoped_lock turn(big_lock);
    ++served;
  }
  {
    const std::scoped_lock turn(big_lock);
    done = true;
  }
  hog.join();
  return served == 50;
}

constexpr conch::fmq::wait_circumstances eight_waiters{
    .waiters = 8, .gap = 1ms, .lateness = 1ms, .config = {}};
static_assert(conch::fmq::wait_bound(eight_waiters) == 115'207us);

bool fmq_lock_waits_can_be_interrupted() {
  conch::fmq_lock lock;
  auto& waiter = conch::fmq_lock::interrupt_handle();  // this thread
  std::atomic<bool> held{false};
  std::atomic<bool> over{false};
  std::thread holder([&] {
    lock.lock();
    held = true;
    conch::fmq_lock::interrupt(waiter);  // by any thread, or in a signal handler
    while (!over) std::this_thread::yield();
    lock.unlock();
  });
  while (!held) std::this_thread::yield();
  const auto end = lock.lock_interruptible_until(steady_clock::time_point::max());
  over = true;
  holder.join();
  return end == conch::acquire_result::interrupted;
}

bool condition_variables_work() {
  conch::fmq_lock big_lock;
  std::condition_variable_any arrived;
  int items = 0;
  std::thread producer([&] {
    const std::scoped_lock turn(big_lock);
    ++items;
    arrived.notify_one();
  });
  std::unique_lock turn(big_lock);
  arrived.wait(turn, [&] { return items != 0; });
  --items;
  turn.unlock();
  producer.join();
  return items == 0;
}

bool a_forked_child_can_use_a_lock() {
  conch::fmq_lock lock;
  lock.lock();
  const auto child = ::fork();
  if (child == 0) {
    lock.reset_after_fork(true);  // nobody waits, and the caller holds it
    lock.unlock();
    ::_exit(lock.try_lock() ? 0 : 1);
  }
  lock.unlock();
  int status = 1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

template <class Lock>
void print_size() {
  std::printf("%s: %zu bytes\n", Lock::traits.name, sizeof(Lock));
}

bool is_well(const char* what, bool well) {
  if (!well) std::printf("FAILED: %s\n", what);
  return well;
}

}  // namespace

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  bool all = is_well("fork", a_forked_child_can_use_a_lock());  // while there is one thread alone

  std::printf("std::mutex: %zu bytes\n", sizeof(std::mutex));
  print_size<conch::pthread_lock>();
  print_size<conch::sem_lock>();
  print_size<conch::tick_gil>();
  print_size<conch::timed_gil>();
  print_size<conch::fmq_lock>();

  all = is_well("pthread_lock", pthread_lock_passes_between_threads()) && all;
  all = is_well("sem_lock", sem_lock_passes_between_threads()) && all;
  all = is_well("tick_gil", tick_gil_wakes_in_vain()) && all;
  all = is_well("timed_gil", timed_gil_asks_after_an_interval()) && all;
  all = is_well("fmq_lock beside a hog", fmq_lock_lets_io_in()) && all;
  all = is_well("interrupts", fmq_lock_waits_can_be_interrupted()) && all;
  all = is_well("condition variables", condition_variables_work()) && all;
  return all ? 0 : 1;
}
