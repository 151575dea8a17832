// SPDX-License-Identifier: MIT
#include "computer.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <stdexcept>
#include <string>

namespace conch::sim::scale {

namespace context = boost::context::detail;

namespace {

constexpr std::size_t page = 4096;

void* new_stack(std::size_t size) {
  void* memory =
      ::mmap(nullptr, size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  ::mprotect(memory, page, PROT_NONE);  // an overflow ends the program
  return static_cast<char*>(memory) + page;
}

}  // namespace

computer::computer(unsigned cores, const machine_costs& costs, std::uint64_t seed)
    : costs_(costs), random_(seed), cores_(cores) {
  if (cores < 1 || cores > most_cores)
    throw std::invalid_argument("cores is " + std::to_string(cores) + "; it must be from 1 to " +
                                std::to_string(most_cores));
  idle_ = ~std::uint64_t{0} >> (most_cores - cores);
  here_ = this;
}

computer::~computer() {
  for (auto& ended : tasks_)
    if (ended.stack != nullptr) ::munmap(static_cast<char*>(ended.stack) - page, stack_size + page);
  here_ = nullptr;
}

void computer::add(std::function<void()> body) {
  const auto number = static_cast<thread>(tasks_.size());
  auto& added = tasks_.emplace_back();
  added.body = std::move(body);
  added.stack = new_stack(stack_size);
  added.where =
      context::make_fcontext(static_cast<char*>(added.stack) + stack_size, stack_size, fiber_main);
  ++alive_;
  make_ready(number);
}

void computer::at(time_point when, std::function<void()> action) {
  actions_.push_back(std::move(action));
  post(when, event_kind::action, static_cast<unsigned>(actions_.size() - 1));
}

computer::ending computer::run(std::chrono::steady_clock::duration patience) {
  give_up_at_ = std::chrono::steady_clock::now() + patience;
  task begin;
  running_ = &begin;  // its context is the hub's
  context::fcontext_t* const hub = &hub_;
  // The first event of a thread; until then nobody runs.
  while (!events_.empty() && events_.top().kind != event_kind::resume) {
    const auto first = events_.top();
    events_.pop();
    now_ = first.when;
    if (first.kind == event_kind::action) actions_[first.subject]();
  }
  if (events_.empty()) return alive_ == 0 ? ending::done : ending::stuck;
  const auto first = events_.top();
  events_.pop();
  now_ = first.when;
  current_ = first.subject;
  running_ = &tasks_[current_];
  context::jump_fcontext(running_->where, hub);
  return ending_;
}

void computer::fiber_main(context::transfer_t from) {
  *static_cast<context::fcontext_t*>(from.data) = from.fctx;
  auto& self = here();
  auto& own = *self.running_;
  try {
    own.body();
    for (auto& object : own.objects)
      if (object.at_exit != nullptr) object.at_exit(object.object.get());
  } catch (...) {
    std::abort();  // nothing that runs here throws
  }
  if (--self.alive_ == 0) self.end_run(ending::done);
  self.run_next_on(own.core);
  self.run_next_event();
  std::abort();
}

void computer::end_run(ending how) {
  ending_ = how;
  context::fcontext_t unused = nullptr;
  context::jump_fcontext(hub_, &unused);
  std::abort();
}

duration computer::draw(cost_range range) noexcept {
  random_ += 0x9e3779b97f4a7c15U;  // splitmix64
  auto mixed = random_;
  mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111ebU;
  mixed ^= mixed >> 31U;
  const auto width = static_cast<std::uint64_t>((range.most - range.least).count()) + 1;
  return range.least + duration(static_cast<duration::rep>(mixed % width));
}

void computer::post(time_point when, event_kind kind, unsigned subject, std::uint64_t sleep) {
  events_.push({when, ++order_, kind, subject, sleep});
}

void computer::wait_for(time_point when) {
  post(when, event_kind::resume, current_);
  run_next_event();
}

/// The present thread cannot go on; returns when it can.
void computer::run_next_event() {
  constexpr std::uint64_t events_per_look = 1U << 14U;
  for (;;) {
    if (events_.empty()) end_run(ending::stuck);
    if (++events_done_ % events_per_look == 0 && std::chrono::steady_clock::now() > give_up_at_)
      end_run(ending::abandoned);
    const auto next = events_.top();
    events_.pop();
    now_ = next.when;
    if (next.kind == event_kind::action) actions_[next.subject]();
    if (next.kind == event_kind::deadline) {
      const auto& sleeper = tasks_[next.subject];
      if (sleeper.asleep && sleeper.sleeps == next.sleep) make_ready(next.subject);
    }
    if (next.kind == event_kind::resume) return switch_to(next.subject);
  }
}

void computer::switch_to(thread next) {
  if (next == current_) return;
  auto& before = *running_;
  current_ = next;
  running_ = &tasks_[next];
  const auto from = context::jump_fcontext(running_->where, &before.where);
  *static_cast<context::fcontext_t*>(from.data) = from.fctx;
}

// Cores -------------------------------------------------------------------------------------------

void computer::put_on(unsigned core, thread who, duration after) {
  auto& next = tasks_[who];
  next.core = core;
  idle_ &= ~(std::uint64_t{1} << core);
  cores_[core] = {.running = who, .slice_end = now_ + after + costs_.time_slice};
  const auto least = ready_.empty() ? next.used : std::min(next.used, ready_.top().used);
  least_used_ = std::max(least_used_, least);
  post(now_ + after, event_kind::resume, who);
}

void computer::run_next_on(unsigned core) {
  if (ready_.empty()) {
    cores_[core].running = nobody;
    idle_ |= std::uint64_t{1} << core;
    return;
  }
  const auto next = ready_.top().who;
  ready_.pop();
  put_on(core, next, costs_.context_switch);
}

void computer::queue(thread who) { ready_.push({tasks_[who].used, ++order_, who}); }

void computer::leave_core_to_others() {
  auto& core = cores_[running_->core];
  core.must_switch = false;
  core.slice_end = now_ + costs_.time_slice;
  if (ready_.top().used > running_->used) return;  // it is still the one that has had least
  queue(current_);
  run_next_on(running_->core);
  run_next_event();
}

void computer::make_ready(thread who) {
  auto& added = tasks_[who];
  added.asleep = false;
  added.used = std::max(added.used, least_used_ - costs_.sleeper_credit);
  if (idle_ == 0) {
    put_somebody_off(added);
    return queue(who);
  }
  const bool can_return = (idle_ & (std::uint64_t{1} << added.core)) != 0;
  const auto core = can_return ? added.core : static_cast<unsigned>(std::countr_zero(idle_));
  put_on(core, who, draw(costs_.wake_from_idle));
}

/// Has the thread leave its core that has had most, if it has had much more than the added one.
void computer::put_somebody_off(const task& added) {
  const auto used = [this](const core_state& core) { return tasks_[core.running].used; };
  auto most =
      std::max_element(cores_.begin(), cores_.end(),
                       [&](const core_state& a, const core_state& b) { return used(a) < used(b); });
  if (used(*most) > added.used + costs_.wake_advantage) most->must_switch = true;
}

// Sleep -------------------------------------------------------------------------------------------

bool computer::sleep(const void* object, reason why, time_point deadline) {
  auto& own = *running_;
  own.sleeps_in = object;
  own.why = why;
  own.asleep = true;
  own.woken = false;
  ++own.sleeps;
  if (deadline != time_point::max())
    post(std::max(deadline, now_) + draw(costs_.timer_slack), event_kind::deadline, current_,
         own.sleeps);
  run_next_on(own.core);
  run_next_event();
  own.sleeps_in = nullptr;
  if (why == reason::lock) ++lock_wakes_;
  return own.woken;
}

void computer::wake(thread sleeper, const void* object) {
  auto& other = tasks_[sleeper];
  if (other.sleeps_in != object) return;
  spend(idle_ != 0 ? costs_.wake_call_to_idle : costs_.wake_call);
  if (other.sleeps_in != object) return;  // its deadline has come meanwhile
  other.woken = true;
  if (other.asleep) make_ready(sleeper);
}

}  // namespace conch::sim::scale
