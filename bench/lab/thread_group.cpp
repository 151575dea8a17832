// SPDX-License-Identifier: MIT
#include "thread_group.hpp"

namespace conch::lab {

thread_group::~thread_group() {
  open();
  for (auto& thread : threads_) thread.join();
}

void thread_group::add(std::function<void()> body) {
  threads_.reserve(threads_.size() + 1);
  threads_.emplace_back([gate = gate_, body = std::move(body)] {
    std::unique_lock guard(gate->mutex);
    ++gate->inside;
    gate->changed.notify_all();
    gate->changed.wait(guard, [&] { return gate->open; });
    guard.unlock();
    body();
    guard.lock();
    --gate->inside;
    gate->changed.notify_all();
  });
}

void thread_group::open() {
  std::unique_lock guard(gate_->mutex);
  gate_->changed.wait(guard, [&] { return gate_->open || gate_->inside == threads_.size(); });
  gate_->open = true;
  gate_->changed.notify_all();
}

bool thread_group::join_within(clock::duration time) {
  std::unique_lock guard(gate_->mutex);
  const bool ended = gate_->changed.wait_for(guard, time, [&] { return gate_->inside == 0; });
  guard.unlock();
  for (auto& thread : threads_) {
    if (ended)
      thread.join();
    else
      thread.detach();
  }
  threads_.clear();
  return ended;
}

}  // namespace conch::lab
