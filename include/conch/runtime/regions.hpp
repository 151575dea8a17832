// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/runtime/interruption.hpp>
#include <conch/runtime/thread_state.hpp>
#include <conch/thread_safety.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace conch {

/// A thread's registration with a runtime, made by runtime::attach(): until it ends, the thread has a
/// state, and runs except where it lets go. One inside another counts as one that is deeper, and
/// restores what was before: it lets go again where the thread had let go.
/// CPython's PyGILState_Ensure and PyGILState_Release.
template <class Lock>
class [[nodiscard]] attachment {
public:
  /// May throw std::bad_alloc at a thread's first, and runtime_finalized.
  explicit attachment(runtime<Lock>& owner) : runtime_(owner), entry_(owner.enter()) {}
  attachment(const attachment&) = delete;
  attachment& operator=(const attachment&) = delete;
  [[gnu::always_inline]] ~attachment() { runtime_.leave(entry_); }

private:
  runtime<Lock>& runtime_;
  typename runtime<Lock>::entry entry_;
};

/// A scope in which an attached thread that has let go runs again: a call back from outside.
/// Precondition: the thread is attached, and does not run.
template <class Lock>
class [[nodiscard]] running {
public:
  /// May throw runtime_finalized.
  explicit running(runtime<Lock>& owner) : runtime_(owner) {
    auto* const self = owner.own_state();
    if (self == nullptr) owner.violate("run by a thread that is not attached");
    if (owner.is_running()) owner.violate("run by a thread that runs already");
    owner.call_back(*self);
  }
  running(const running&) = delete;
  running& operator=(const running&) = delete;
  ~running() {
    if (runtime_.own_state() != nullptr)
      runtime_.return_to_call(runtime_.running_state("let go"));  // else it was turned away
  }

private:
  runtime<Lock>& runtime_;
};

/// A scope in which the thread may block: it lets go, whatever its nesting, and runs again at the end.
/// errno is what the call inside made it.
///
/// With an unblock function, an interrupt (a signal for the main thread, an exception that another
/// thread raises) ends the blocking call: see interruption.hpp for what the function must do. Without
/// one, a signal makes a system call of the main thread fail with EINTR, if it has begun.
///
/// Precondition: the thread runs. The end may throw runtime_finalized.
template <class Lock>
class [[nodiscard]] released {
public:
  /// For a call that an interrupt need not end, or cannot.
  explicit released(runtime<Lock>& owner) : runtime_(owner), self_(owner.let_go()) {}
  /// `unblock(argument)` is what an interrupt calls.
  released(runtime<Lock>& owner, unblock_function unblock, void* argument)
      : runtime_(owner), self_(owner.let_go_to_block()), unblockable_(true) {
    outer_ = self_.interruption_.begin(unblock, argument);
  }
  released(const released&) = delete;
  released& operator=(const released&) = delete;
  ~released() noexcept(false) {  // NOLINT(bugprone-exception-escape): it says so
    if (unblockable_) self_.interruption_.end(outer_);
    runtime_.come_back(self_);
  }

private:
  runtime<Lock>& runtime_;
  thread_state<typename Lock::platform>& self_;
  typename interruption<typename Lock::platform>::call outer_;
  bool unblockable_ = false;
};

/// The scope of released_if_slow(), over a lock that any thread may unlock: the thread keeps the lock,
/// and another one that wants it lets go in its place once it has waited for 20 µs.
template <class Lock>
class [[nodiscard]] slow_region {
public:
  /// Precondition: the thread runs.
  explicit slow_region(runtime<Lock>& owner)
      : runtime_(owner), self_(owner.running_state("released_if_slow")) {
    owner.begin_slow_call(self_);
  }
  slow_region(const slow_region&) = delete;
  slow_region& operator=(const slow_region&) = delete;
  // NOLINTNEXTLINE(bugprone-exception-escape): it says so
  ~slow_region() noexcept(false) { runtime_.end_slow_call(self_); }

private:
  runtime<Lock>& runtime_;
  thread_state<typename Lock::platform>& self_;
};

/// Makes a call that mostly returns at once, and returns what it does. Where the lock allows (any thread
/// may unlock it), the thread lets go only if the call takes long and another wants to run; with other
/// locks it lets go at once, as `released`. Precondition: the thread runs.
template <class Lock, class Function>
decltype(auto) released_if_slow(runtime<Lock>& owner, Function&& call) {
  if constexpr (Lock::traits.any_thread_unlocks) {
    const slow_region<Lock> inside(owner);
    return std::forward<Function>(call)();
  } else {
    const released<Lock> inside(owner);
    return std::forward<Function>(call)();
  }
}

/// Takes another lock than the runtime's, with the thread let go meanwhile. What comes up for the thread
/// is done while it waits: checkpoint() is called each time that it is interrupted, and may throw. False
/// if the deadline came. Precondition: the thread runs.
template <class Lock, interruptible_lock Other>
[[nodiscard]] bool acquire_until(runtime<Lock>& owner, Other& other,
                                 typename Other::platform::time_point deadline)
    CONCH_TRY_ACQUIRE(true, other) CONCH_NO_THREAD_SAFETY_ANALYSIS {
  if (other.try_lock()) return true;
  auto& self = Other::interrupt_handle();
  using handle = std::remove_reference_t<decltype(self)>;
  const auto unlock = [](Other* held) CONCH_NO_THREAD_SAFETY_ANALYSIS { held->unlock(); };
  std::unique_ptr<Other, decltype(unlock)> taken;  // let go again if the thread is turned away
  for (;;) {
    auto result = acquire_result::interrupted;
    {
      const released<Lock> waiting(
          owner, [](void* thread) noexcept { Other::interrupt(*static_cast<handle*>(thread)); },
          &self);
      result = other.lock_interruptible_until(deadline);
      if (result == acquire_result::acquired) taken.reset(&other);
    }
    if (result != acquire_result::interrupted) return taken.release() != nullptr;
    owner.checkpoint();
  }
}

}  // namespace conch
