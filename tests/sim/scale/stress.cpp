// SPDX-License-Identifier: MIT
#include "stress.hpp"

#include "platform.hpp"

#include <conch/fmq_lock.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/thread_safety.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

namespace conch::sim::scale {

namespace {

/// Messages on their way to one receiver.
class mailbox {
public:
  /// Returns when the message is there; the sender does all of its way.
  void send() {
    computer::here().spend(computer::here().costs().network_send);
    ++messages_;
    wake_receiver();
  }
  /// False if the connection was closed.
  bool receive() {
    auto& on = computer::here();
    on.spend(on.costs().network_receive);
    while (messages_ == 0 && !closed_) {
      receiver_ = on.self();
      on.sleep(this, computer::reason::network);
    }
    if (messages_ == 0) return false;
    --messages_;
    return true;
  }
  void hang_up() {
    closed_ = true;
    wake_receiver();
  }

private:
  void wake_receiver() {
    if (receiver_) computer::here().wake(*receiver_, this);
  }

  unsigned messages_ = 0;
  bool closed_ = false;
  std::optional<computer::thread> receiver_;
};

/// What has happened up to a moment.
struct counts {
  std::uint64_t answers = 0;
  std::uint64_t handoffs = 0;
  std::uint64_t lock_wakes = 0;
  duration hog_work{0};
};

template <class Lock>
class stage {
public:
  explicit stage(const stress_plan& plan) : plan_(plan) {}

  stress_result run(std::chrono::steady_clock::duration patience) {
    computer machine(plan_.cores, plan_.costs, plan_.seed);
    add(machine, [this] { serve(); });
    add(machine, [this] { ask(); });
    for (unsigned i = 0; i < plan_.hogs; ++i) add(machine, [this] { hog(); });
    machine.at(from(), [this] { before_ = count(); });
    machine.at(to(), [this] {
      after_ = count();
      if (waits_since_) waits_.push_back(clock::now() - *waits_since_);
      still_waits_ = waits_since_.has_value();
      over_ = true;
    });
    const auto ending = machine.run(patience);
    // Threads may be left that wait for it, and it can only end on a machine.
    [[maybe_unused]] const auto* left =
        ending == computer::ending::done ? nullptr : lock_.release();
    return judge(ending);
  }

private:
  static constexpr unsigned nobody = ~0U;

  /// The last thread to end ends the lock, which looks whether it may.
  template <class Body>
  void add(computer& machine, Body body) {
    ++threads_;
    machine.add([this, body] {
      body();
      if (--threads_ == 0) lock_.reset();
    });
  }

  [[nodiscard]] time_point from() const { return time_point(plan_.warm_up); }
  [[nodiscard]] time_point to() const { return from() + plan_.time; }

  [[nodiscard]] counts count() const {
    auto now = counts_;
    now.lock_wakes = computer::here().lock_wakes();
    return now;
  }

  // The harness's own marks cost nothing.

  void enter() noexcept {
    const auto self = computer::here().self();
    exclusive_ = exclusive_ && inside_ == nobody;
    inside_ = self;
    if (last_ != self) ++counts_.handoffs;
    last_ = self;
  }
  void leave() noexcept {
    exclusive_ = exclusive_ && inside_ == computer::here().self();
    inside_ = nobody;
  }

  void hog() {
    lock_->lock();
    enter();
    while (!over_) {
      computer::here().spend(plan_.work);
      counts_.hog_work += plan_.work;
      leave();
      if constexpr (Lock::traits.checkpoint_switches)
        lock_->checkpoint();
      else
        lock_->yield();
      enter();
    }
    leave();
    lock_->unlock();
  }

  void lock_for_echo() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    waits_since_ = clock::now();
    lock_->lock();
    if (clock::now() >= from() && !over_) waits_.push_back(clock::now() - *waits_since_);
    waits_since_.reset();
    enter();
  }
  void unlock_for_echo() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    leave();
    lock_->unlock();
  }

  void serve() {
    lock_for_echo();
    for (bool open = true; open;) {
      unlock_for_echo();
      open = requests_.receive();
      lock_for_echo();
      if (!open) break;
      unlock_for_echo();
      answers_.send();
      lock_for_echo();
      ++counts_.answers;
    }
    unlock_for_echo();
  }

  void ask() {
    while (!over_) {
      requests_.send();
      answers_.receive();
    }
    requests_.hang_up();
  }

  stress_result judge(computer::ending ending) {
    stress_result result{.ending = ending, .exclusive = exclusive_};
    const auto seconds = std::chrono::duration<double>(plan_.time).count();
    const auto handoffs = static_cast<double>(after_.handoffs - before_.handoffs);
    result.requests_per_second = static_cast<double>(after_.answers - before_.answers) / seconds;
    result.hog_share =
        std::chrono::duration<double>(after_.hog_work - before_.hog_work).count() / seconds;
    result.wakes_per_handoff =
        static_cast<double>(after_.lock_wakes - before_.lock_wakes) / handoffs;
    if (waits_.empty()) return result;
    const auto unfinished = waits_.back();
    std::sort(waits_.begin(), waits_.end());
    const auto rank = std::ceil(0.99 * static_cast<double>(waits_.size()));
    result.p99_wait = waits_[static_cast<std::size_t>(rank) - 1];
    result.longest_wait = waits_.back();
    result.still_waits = still_waits_ && unfinished == result.longest_wait;
    return result;
  }

  stress_plan plan_;
  std::unique_ptr<Lock> lock_ = std::make_unique<Lock>();
  unsigned threads_ = 0;
  mailbox requests_;
  mailbox answers_;
  bool over_ = false;
  bool exclusive_ = true;
  unsigned inside_ = nobody;
  unsigned last_ = nobody;
  counts counts_;
  counts before_;
  counts after_;
  std::vector<duration> waits_;
  std::optional<time_point> waits_since_;
  bool still_waits_ = false;
};

template <class Lock>
stress_result run_with(const stress_plan& plan, std::chrono::steady_clock::duration patience) {
  return stage<Lock>(plan).run(patience);
}

}  // namespace

stress_result run_stress(const stress_plan& plan, std::chrono::steady_clock::duration patience) {
  using platform = modelled_platform;
  if (plan.lock == "timed_gil") return run_with<basic_timed_gil<platform>>(plan, patience);
  if (plan.lock == "fmq_lock") return run_with<basic_fmq_lock<platform>>(plan, patience);
  if (plan.lock == "pthread_lock") return run_with<basic_pthread_lock<platform>>(plan, patience);
  if (plan.lock == "tick_gil")
    return run_with<basic_tick_gil<basic_sem_lock<platform>>>(plan, patience);
  throw std::invalid_argument("no such lock: " + plan.lock);
}

}  // namespace conch::sim::scale
