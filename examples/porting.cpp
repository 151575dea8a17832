// SPDX-License-Identifier: MIT
// What docs/porting.md shows: runtimes that work as CPython's, Lua's and Ruby's do, in small, over conch.

#include <conch/conch.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <mutex>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace like_cpython {

conch::runtime<conch::fmq_lock> interpreter;
std::size_t calls = 0;  // guarded by the interpreter's lock, as all that code shares

/// A call of the interpreted language: Py_EnterRecursiveCall, and a look at the eval breaker.
// NOLINTNEXTLINE(misc-no-recursion): that is what it is about
void call(std::size_t levels) {
  const conch::deeper one_deeper(*interpreter.current());
  interpreter.checkpoint();
  ++calls;
  if (levels > 1) call(levels - 1);
}

/// A lock of the interpreted language, as threading.Lock: signals and exceptions reach who waits.
class lock_object {
public:
  bool acquire(conch::posix_platform::time_point deadline) {
    if (!freed_.wait_until(deadline, [this] { return !locked_; })) return false;
    locked_ = true;
    return true;
  }
  void release() {
    locked_ = false;
    freed_.notify_one();
  }

private:
  bool locked_ = false;
  conch::condition<conch::fmq_lock> freed_{interpreter};
};

/// Takes a lock that is not the interpreter's, and never waits for it with the interpreter's held.
std::unique_lock<std::mutex> lock_native(std::mutex& native) {
  std::unique_lock held(native, std::try_to_lock);
  if (!held) {
    const conch::released others_run(interpreter);
    held.lock();
  }
  return held;
}

/// os.fork: in the child the caller is alone, and runs.
bool fork_leaves_the_caller_alone() {
  interpreter.before_fork();  // PyOS_BeforeFork
  const auto child = ::fork();
  if (child == 0) {
    interpreter.after_fork_in_child();  // PyOS_AfterFork_Child
    interpreter.checkpoint();
    ::_exit(interpreter.is_main_thread() && interpreter.threads() == 1 ? 0 : 1);
  }
  interpreter.after_fork_in_parent();  // PyOS_AfterFork_Parent, also if fork() has failed
  int status = -1;
  const conch::released others_run(interpreter);
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

bool works() {
  const auto here = interpreter.attach();
  lock_object done;
  std::mutex native;
  if (!done.acquire(conch::posix_platform::now())) return false;
  std::thread other([&] {
    const auto there = interpreter.attach();
    call(100);
    const auto held = lock_native(native);
    done.release();
  });
  const bool alone = fork_leaves_the_caller_alone();
  if (!done.acquire(conch::posix_platform::time_point::max())) return false;
  const auto held = lock_native(native);
  bool too_deep = false;
  try {
    call(2'000);
  } catch (const conch::recursion_limit_exceeded&) {
    too_deep = true;
  }
  const conch::released joining(interpreter);
  other.join();
  return alone && too_deep && calls == 1'100;
}

}  // namespace like_cpython

namespace like_lua {

/// What a Lua thread looks at anyway: whether it has a hook.
struct lua_thread {
  std::atomic<bool> hooked{false};
};
std::array<lua_thread, 2>
    lua_threads;  // whoever pushes may look at one that is not in use any more

void push(void*) noexcept;
conch::runtime<conch::fmq_lock> universe({.push = push});
std::size_t executed = 0;  // guarded by the universe's lock

/// On the thread that asks, perhaps in a signal handler: neither it nor what it calls may block.
void push(void*) noexcept {
  auto* const asked = universe.current();
  if (asked == nullptr) return;  // whoever begins to run is pushed then
  auto* const its = static_cast<lua_thread*>(std::atomic_ref<void*>(asked->frame).load());
  if (its != nullptr) its->hooked.exchange(true, std::memory_order_release);  // pairs with hook()
}

void hook(lua_thread& self) {
  self.hooked.exchange(false, std::memory_order_acquire);  // first: see conch/breaker.hpp
  universe.checkpoint();
}

void run(lua_thread& self, std::size_t instructions) {
  const auto here = universe.attach();
  const std::atomic_ref<void*> frame(universe.current()->frame);
  frame.store(&self);
  // Who asked before found no frame to push. seq_cst: of the two one sees the other.
  if (universe.reasons().seen(std::memory_order_seq_cst) != 0) hook(self);
  for (std::size_t i = 0; i < instructions; ++i) {
    if (self.hooked.load(std::memory_order_acquire)) [[unlikely]]
      hook(self);
    ++executed;
  }
  frame.store(nullptr);
}

bool works() {
  constexpr std::size_t each = 300'000;
  std::thread other(run, std::ref(lua_threads[0]), each);
  run(lua_threads[1], each);
  other.join();
  const bool all_executed = executed == 2 * each;
  bool stopped = false;
  std::thread endless([&] {
    try {
      run(lua_threads[0], static_cast<std::size_t>(-1));
    } catch (const conch::stop_requested&) {
      stopped = true;
    }
  });
  universe.request_stop();
  endless.join();
  return all_executed && stopped;
}

}  // namespace like_lua

namespace like_ruby {

constexpr auto job_is_due = conch::reason::user(0);

void do_job(void*, std::uint32_t);
conch::runtime<conch::fmq_lock> vm({.on_user_bits = do_job});
conch::condition changed(vm);
std::size_t jobs = 0;  // guarded by the lock of `vm`

/// A postponed job: triggered any number of times, it is done once at the next checkpoint.
void do_job(void*, std::uint32_t bits) {
  if ((bits & job_is_due) != 0) ++jobs;
}
void trigger_job() noexcept { vm.reasons().set(job_is_due); }  // any thread, also in a handler

/// rb_thread_call_without_gvl(), with its checks of interrupts before and after.
template <class Call>
auto without_gvl(Call call, conch::unblock_function unblock, void* argument) {
  vm.checkpoint();
  const auto result = [&] {
    const conch::released others_run(vm, unblock, argument);
    return call();
  }();
  vm.checkpoint();
  return result;
}

/// What Thread#raise raises.
struct raised {};

bool works() {
  const auto here = vm.attach();
  for (int i = 0; i < 3; ++i) trigger_job();
  vm.checkpoint();
  conch::posix_platform::thread_id sleeper = 0;
  bool was_raised = false;
  std::thread other([&] {
    conch::posix_platform::parker bed;
    const auto there = vm.attach();
    sleeper = conch::posix_platform::this_thread();
    changed.notify_all();
    try {
      const auto sleep = [&] { return bed.park(), true; };
      for (;;)
        without_gvl(
            sleep,
            [](void* its) noexcept {
              static_cast<conch::posix_platform::parker*>(its)->unpark().wake();
            },
            &bed);
    } catch (const raised&) {
      was_raised = true;
    }
  });
  changed.wait([&] { return sleeper != 0; });
  vm.raise_in(sleeper, std::make_exception_ptr(raised()));
  {
    const conch::released joining(vm);
    other.join();
  }
  return jobs == 1 && was_raised;
}

}  // namespace like_ruby

int main() {  // NOLINT(bugprone-exception-escape): an exception ends the program
  const bool first = like_cpython::works();
  const bool second = like_lua::works();
  const bool third = like_ruby::works();
  std::printf("like CPython %d, like Lua %d, like Ruby %d\n", first, second, third);
  return first && second && third ? 0 : 1;
}
