// SPDX-License-Identifier: MIT
#pragma once

#include "scheduler.hpp"

#include <array>
#include <atomic>  // std::memory_order
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace conch::sim {

using duration = std::chrono::nanoseconds;

/// The simulated clock. It begins at one hour.
struct clock {
  using duration = sim::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using time_point = clock::time_point;

inline constexpr unsigned max_tasks = 64;   ///< threads of one run, the first one included
inline constexpr unsigned max_tracked = 8;  ///< the same where the memory model is on

/// What the simulated machine is like during a run.
struct machine {
  /// The C++ memory model: loads may return old values, and data races are looked for. Without it
  /// memory is sequentially consistent, and the number of threads is bounded by max_tasks alone.
  bool weak_memory = true;
  unsigned cpus = 1;               ///< what Platform::cpu_count() says
  duration relax = duration(100);  ///< how long a relax() lasts
  duration step{};                 ///< how long every other operation lasts
  duration wake{};                 ///< how long a wake-up takes at the least
  duration wake_latency{};         ///< what it may take on top of that
  duration timer_lateness{};       ///< how late a timeout may come
  bool spurious = false;           ///< waits may end, weak compare-and-swaps fail, in vain
  bool signals = false;            ///< a signal may interrupt a sleep: EINTR
  std::uint64_t steps_without_progress = 100'000;  ///< how many of them are a livelock
};

/// How a run ended.
struct outcome {
  std::optional<std::string> failure;
  std::uint64_t steps = 0;    ///< operations
  std::uint64_t choices = 0;  ///< those at which there was a choice
  std::uint64_t hash = 0;     ///< of all operations: equal runs have equal hashes
  std::string replay;         ///< replays the run, for make_replay()
  std::string trace;          ///< if it was asked for
};

/// Runs `body` as the first thread of a simulated machine, under a scheduler's next schedule.
/// Precondition: scheduler.begin() was true.
outcome run(const std::function<void()>& body, const machine& where, scheduler& decides,
            bool with_trace = false);

// For scenarios, inside a run ---------------------------------------------------------------------

/// Starts a thread; its number, for join().
unsigned spawn(std::function<void()> body, std::string name = {});
/// Waits for the end of a thread that spawn() started.
void join(unsigned thread);
/// Keeps the calling thread busy for a time, in which others run.
void work(duration time);
/// A point at which another thread may run.
void step();
/// One of 0 … options - 1, chosen by the scheduler.
unsigned pick(unsigned options);
/// Ends the run as failed.
[[noreturn]] void fail(const std::string& what);
/// Fails unless `good`.
inline void check(bool good, const char* what) {
  if (!good) fail(what);
}
/// Tells that the run gets on: the steps of a livelock are counted from here.
void progress();
/// A line in the trace.
void note(const std::string& text);
/// Whether note() has a reader.
bool traced();
/// Calls `look` each time that nothing can run and time is about to move, and at a deadlock; what
/// it does is not part of the schedule. It may fail(). `look` lives until the run ends.
void when_quiet(std::function<void()> look);
/// True if no thread is on its way: woken but not running yet, or spinning. For when_quiet().
bool nobody_on_the_way();
/// Delays the calling thread once, for a time, at one of its next `within` operations on the
/// platform: as an operating system does that gives the CPU to others.
void stall_somewhere(duration time, unsigned within = 12);
/// How many threads spin at the moment; one that has given way to others does not.
unsigned spinners();
/// How many sleepers have been woken, in conditions, semaphores and parkers.
std::uint64_t wakes();
/// How many of those have not run since.
unsigned wakes_on_their_way();
/// Whether a run is going on.
bool running() noexcept;
/// How many of the platform's objects live; for leaks.
std::int64_t live_objects() noexcept;

// For the platform --------------------------------------------------------------------------------

namespace engine {

using vector_clock = std::array<std::uint32_t, max_tracked>;
inline constexpr std::uint32_t never = ~std::uint32_t{0};

inline void join_clock(vector_clock& into, const vector_clock& from) noexcept {
  for (std::size_t i = 0; i < into.size(); ++i) into[i] = into[i] > from[i] ? into[i] : from[i];
}

enum class operation : unsigned char {
  none,
  load,
  store,
  modify,
  compare,
  fence,
  lock,
  unlock,
  wait,
  notify,
  acquire,
  release,
  park,
  unpark,
  wake,
  relax,
  yield,
  clock_read,
  work,
  step,
  start,
  finish,
  join,
  plain_read,
  plain_write
};

/// One value in the modification order of an atomic.
struct stored {
  std::uint64_t value = 0;
  vector_clock released{};  ///< what an acquiring load of it gets to know
  vector_clock known{};     ///< since when each thread knows of it, by that thread's own clock
  std::uint64_t era = 0;    ///< how often time had moved before it
  bool seq_cst = false;
};

/// The values of an atomic that may still be read, in modification order.
struct location {
  static constexpr unsigned most = 8;
  std::array<stored, most> values;
  unsigned first = 0;
  unsigned count = 0;

  stored& at(unsigned i) noexcept { return values[(first + i) % most]; }
  stored& newest() noexcept { return at(count - 1); }
  stored& push() noexcept {
    if (count == most) {
      first = (first + 1) % most;
      --count;
    }
    return at(count++);
  }
};

/// Finds the location of an atomic, and says whether the atomic still lives.
struct handle {
  std::uint64_t run = 0;
  location* where = nullptr;
};

/// Who has accessed a plain object.
struct access_log {
  std::uint64_t run = 0;
  std::uint32_t write_epoch = 0;
  std::uint8_t writer = 0;
  vector_clock reads{};
};

inline constexpr std::uint32_t alive = 0x5a11beef;
inline constexpr std::uint32_t dead = 0xdeadbeef;

/// The mark of a platform object; an operation on one that was destroyed is found out.
class life {
public:
  constexpr life() noexcept {
    if (!std::is_constant_evaluated()) ++count;
  }
  constexpr life(const life&) noexcept : life() {}
  constexpr life& operator=(const life&) noexcept { return *this; }
  constexpr ~life() {
    if (!std::is_constant_evaluated()) --count;
    // Volatile: this is looked at after the object's end, which a compiler may take for granted
    // not to happen.
    if (!std::is_constant_evaluated()) *const_cast<volatile std::uint32_t*>(&mark_) = dead;
  }
  [[nodiscard]] bool over() const noexcept {
    return *const_cast<const volatile std::uint32_t*>(&mark_) != alive;
  }

  static inline std::int64_t count = 0;

private:
  std::uint32_t mark_ = alive;
};

/// A set of sleeping threads, in the order in which they came.
using sleepers = std::vector<unsigned>;

/// Why a thread sleeps.
enum class awaits : unsigned char { nothing, mutex, condition, semaphore, token, thread };

bool is_weak() noexcept;

/// A choice point before an operation.
void point(operation what, const void* object) noexcept;
/// The same, for an operation on an object, which must live.
void point(operation what, const void* object, const life& mark) noexcept;
void result(std::uint64_t value) noexcept;  ///< for the trace

std::uint64_t load(handle& where, std::uint64_t initial, std::memory_order order) noexcept;
void store(handle& where, std::uint64_t initial, std::uint64_t value,
           std::memory_order order) noexcept;
/// A failed compare-and-swap.
void load_newest(handle& where, std::uint64_t initial, std::memory_order order) noexcept;
/// A read-modify-write that stores `value`.
void modify(handle& where, std::uint64_t initial, std::uint64_t value,
            std::memory_order order) noexcept;
/// Some thread has changed a value: spinners look again.
void changed() noexcept;
void fence(std::memory_order order) noexcept;

void read_plain(access_log& log, const void* object) noexcept;
void write_plain(access_log& log, const void* object) noexcept;

void acquire_clock(const vector_clock& from) noexcept;
void release_clock(vector_clock& into) noexcept;

/// How a sleep ended.
enum class sleep_end : unsigned char {
  woken,
  by_itself,    ///< the deadline came, or the wait ended in vain
  interrupted,  ///< by a signal, in the system calls that signals interrupt: EINTR
};

/// Puts the caller to sleep.
sleep_end sleep(awaits what, const void* object, const time_point* deadline) noexcept;
/// Wakes a thread that sleeps. `late` allows the machine's wake latency.
void wake(unsigned thread, bool late) noexcept;
[[nodiscard]] bool sleeps_in(unsigned thread, const void* object) noexcept;
void spin(operation what) noexcept;

unsigned self() noexcept;  ///< the number of the calling thread, from 0
unsigned choose(choice kind, unsigned options) noexcept;
[[nodiscard]] bool spurious() noexcept;  ///< whether a fault is chosen now
[[noreturn]] void stop(const std::string& what) noexcept;

/// The objects of of_this_thread<T>() and of_this_process<T>(), by type.
struct own_object {
  const void* type = nullptr;
  void* object = nullptr;
  void (*at_exit)(void*) = nullptr;
  void (*destroy)(void*) = nullptr;  ///< ends the object; its memory lasts until the run ends
  void (*release)(void*) = nullptr;
  bool watched = false;
};
own_object& own(const void* type) noexcept;
own_object& shared(const void* type) noexcept;

}  // namespace engine
}  // namespace conch::sim
