// SPDX-License-Identifier: MIT
#pragma once

#include "machine_costs.hpp"

#include <bit>
#include <boost/context/detail/fcontext.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <queue>
#include <vector>

namespace conch::sim::scale {

/// The simulated clock.
struct clock {
  using duration = scale::duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<clock>;
  static constexpr bool is_steady = true;
  static time_point now() noexcept;
};
using time_point = clock::time_point;

/// Which cores have a copy of a line of the cache.
class cache_line {
public:
  /// Both: true if the line has to come from elsewhere.
  bool read(unsigned core) noexcept {
    const bool miss = (holders_ & bit(core)) == 0 && holders_ != 0;
    holders_ |= bit(core);
    return miss;
  }
  bool write(unsigned core) noexcept {
    const bool miss = (holders_ & ~bit(core)) != 0;
    holders_ = bit(core);
    return miss;
  }

private:
  static constexpr std::uint64_t bit(unsigned core) noexcept { return std::uint64_t{1} << core; }
  std::uint64_t holders_ = 0;
};

/// A machine of up to 64 cores: threads are fibers, and whatever they do costs simulated time on a
/// core, of which each runs one thread at a time. It is a MODEL: see docs/SIMULATOR.md for what it
/// leaves out.
///
/// Algorithm   A discrete-event simulation. spend() lets the caller's time pass; what other cores
///             do in that time comes first. Threads that are ready wait in one queue for all cores,
///             as if the system spread them ideally: that which has had least time on a core is
///             next, after time_slice at the latest, and a woken one at once if it has had
///             wake_advantage less than the one that it puts off. What one thread does between two
///             calls of spend() is atomic to the others, and memory is sequentially consistent.
class computer {
public:
  static constexpr unsigned most_cores = 64;
  using thread = unsigned;

  /// Throws std::invalid_argument unless `cores` is from 1 to most_cores. One lives at a time.
  computer(unsigned cores, const machine_costs& costs, std::uint64_t seed);
  ~computer();
  computer(const computer&) = delete;
  computer& operator=(const computer&) = delete;

  /// The one that is running.
  static computer& here() noexcept { return *here_; }

  /// Adds a thread that is ready from the start.
  void add(std::function<void()> body);
  /// Has `action` done at a time, by nobody and for nothing.
  void at(time_point when, std::function<void()> action);

  enum class ending : unsigned char {
    done,       ///< all threads have ended
    stuck,      ///< threads sleep that nobody will wake
    abandoned,  ///< it took more real time than it was given
  };
  ending run(std::chrono::steady_clock::duration patience);

  [[nodiscard]] time_point now() const noexcept { return now_; }
  [[nodiscard]] unsigned cores() const noexcept { return static_cast<unsigned>(cores_.size()); }
  [[nodiscard]] const machine_costs& costs() const noexcept { return costs_; }

  // For running threads ---------------------------------------------------------------------------

  [[nodiscard]] thread self() const noexcept { return current_; }

  /// Keeps the caller's core busy. Others may run, and the caller may lose its core.
  void spend(duration time) {
    auto& own = *running_;
    own.used += time;
    if (events_.empty() || events_.top().when > now_ + time)
      now_ += time;
    else
      wait_for(now_ + time);
    auto& core = cores_[own.core];
    if (!ready_.empty() && (core.must_switch || now_ >= core.slice_end)) leave_core_to_others();
  }

  void read(cache_line& line) {
    if (line.read(running_->core)) spend(draw(costs_.cache_line));
  }
  void write(cache_line& line) {
    if (line.write(running_->core)) spend(draw(costs_.cache_line));
  }
  void modify(cache_line& line) {
    spend(line.write(running_->core) ? draw(costs_.cache_line) : costs_.modify);
  }

  /// Why a thread sleeps.
  enum class reason : unsigned char { lock, network };

  /// Sleeps until a wake() that names `object`, or for ever; false if the deadline came first.
  bool sleep(const void* object, reason why, time_point deadline = time_point::max());
  /// Costs the caller what waking costs if the thread sleeps there.
  void wake(thread sleeper, const void* object);

  /// How often a thread that slept for a lock got up, woken or at its deadline.
  [[nodiscard]] std::uint64_t lock_wakes() const noexcept { return lock_wakes_; }

  /// The object that a thread, or all together, have of a type.
  struct owned_object {
    const void* type = nullptr;
    std::shared_ptr<void> object;
    void (*at_exit)(void*) = nullptr;
  };
  std::vector<owned_object>& objects_of_thread() noexcept { return running_->objects; }
  std::vector<owned_object>& objects_of_all() noexcept { return objects_; }

private:
  static constexpr unsigned no_core = ~0U;
  static constexpr unsigned nobody = ~0U;
  static constexpr std::size_t stack_size = std::size_t{64} << 10U;

  struct task {
    boost::context::detail::fcontext_t where = nullptr;
    void* stack = nullptr;
    std::function<void()> body;
    unsigned core = 0;  // that it runs on, or has run on last
    duration used{0};   // time on a core, corrected for sleeps
    const void* sleeps_in = nullptr;
    reason why = reason::lock;
    bool asleep = false;
    bool woken = false;
    std::uint64_t sleeps = 0;
    std::vector<owned_object> objects;
  };
  struct core_state {
    thread running = nobody;
    time_point slice_end;
    bool must_switch = false;
  };
  enum class event_kind : unsigned char { resume, deadline, action };
  struct event {
    time_point when;
    std::uint64_t order;
    event_kind kind;
    unsigned subject;     // a thread, or the index of an action
    std::uint64_t sleep;  // which of its sleeps a deadline ends
  };
  struct later {
    bool operator()(const event& a, const event& b) const noexcept {
      return a.when != b.when ? a.when > b.when : a.order > b.order;
    }
  };
  struct waiting {
    duration used;
    std::uint64_t order;
    thread who;
  };
  struct behind {
    bool operator()(const waiting& a, const waiting& b) const noexcept {
      return a.used != b.used ? a.used > b.used : a.order > b.order;
    }
  };

  static void fiber_main(boost::context::detail::transfer_t from);

  duration draw(cost_range range) noexcept;
  void post(time_point when, event_kind kind, unsigned subject, std::uint64_t sleep = 0);
  void wait_for(time_point when);
  void leave_core_to_others();
  void make_ready(thread who);
  void put_somebody_off(const task& added);
  void queue(thread who);
  void run_next_on(unsigned core);  // or leaves it idle
  void put_on(unsigned core, thread who, duration after);
  void run_next_event();
  void switch_to(thread next);
  [[noreturn]] void end_run(ending how);

  machine_costs costs_;
  std::uint64_t random_;
  time_point now_{};
  std::vector<core_state> cores_;
  std::uint64_t idle_ = 0;  // a bit per core
  std::deque<task> tasks_;
  std::size_t alive_ = 0;
  thread current_ = nobody;
  task* running_ = nullptr;
  std::priority_queue<event, std::vector<event>, later> events_;
  std::priority_queue<waiting, std::vector<waiting>, behind> ready_;
  std::uint64_t order_ = 0;
  std::vector<std::function<void()>> actions_;
  duration least_used_{0};  // of those that run or are ready; never falls
  std::uint64_t lock_wakes_ = 0;
  std::vector<owned_object> objects_;
  boost::context::detail::fcontext_t hub_ = nullptr;
  ending ending_ = ending::done;
  std::chrono::steady_clock::time_point give_up_at_;
  std::uint64_t events_done_ = 0;

  static inline computer* here_ = nullptr;
};

inline time_point clock::now() noexcept { return computer::here().now(); }

}  // namespace conch::sim::scale
