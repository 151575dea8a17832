// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>  // the size below
#include <conch/runtime/interruption.hpp>

#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

namespace conch {

template <class Lock>
class runtime;
template <class Lock>
class released;
template <class Lock>
class condition;

/// Thrown where a thread calls deeper than its limit.
class recursion_limit_exceeded : public std::runtime_error {
public:
  /// With a message that names the limit.
  explicit recursion_limit_exceeded(std::uint32_t limit)
      : std::runtime_error("more than " + std::to_string(limit) + " calls inside each other"),
        limit_(limit) {}
  /// How many calls are allowed.
  [[nodiscard]] std::uint32_t limit() const noexcept { return limit_; }

private:
  std::uint32_t limit_;
};

/// What a runtime knows of one thread. It lives from the thread's first attach() to the end of that
/// attachment, and its memory as long as the runtime.
///
/// The functions are for the thread itself, or for whoever runs: all but id() are guarded by the lock.
template <class Platform>
class thread_state {
public:
  using thread_id = typename Platform::thread_id;  ///< as the platform names threads

  thread_state() noexcept = default;
  thread_state(const thread_state&) = delete;
  thread_state& operator=(const thread_state&) = delete;

  /// The interpreter's own: where this thread is in the program that it interprets. nullptr after
  /// attach(). A push function may read it on any thread; the host then uses std::atomic_ref for both.
  void* frame = nullptr;

  /// As the platform names threads. Any thread.
  [[nodiscard]] thread_id id() const noexcept { return id_; }
  /// How many of its checkpoints had something to do.
  [[nodiscard]] std::uint64_t ticks() const noexcept { return ticks_; }
  /// How many attachments the thread has, one inside the other.
  [[nodiscard]] std::uint32_t nesting() const noexcept { return nesting_; }

  /// How many calls it is inside of.
  [[nodiscard]] std::uint32_t depth() const noexcept { return depth_; }
  /// How many calls are allowed.
  [[nodiscard]] std::uint32_t recursion_limit() const noexcept { return recursion_limit_; }
  /// One below the present depth takes effect when the thread has returned from there.
  void set_recursion_limit(std::uint32_t calls) noexcept { recursion_limit_ = calls; }

  /// One call deeper; see also class deeper. False, and nothing has changed, at the limit.
  [[nodiscard]] bool descend() noexcept {
    if (depth_ >= recursion_limit_) [[unlikely]]
      return false;
    ++depth_;
    return true;
  }
  /// The end of a call. Precondition: descend() succeeded before.
  void ascend() noexcept { --depth_; }

private:
  template <class Lock>
  friend class runtime;
  template <class Lock>
  friend class released;
  template <class Lock>
  friend class condition;

  std::exception_ptr exception_;  // asynchronous, to be thrown at the next checkpoint
  thread_id id_{};
  void* runtime_ = nullptr;            // nullptr: the runtime was finalised without this thread
  thread_state* next_ = nullptr;       // of the runtime's, attached or unused
  thread_state* also_mine_ = nullptr;  // the same thread's, in another runtime
  std::uint64_t ticks_ = 0;
  std::uint32_t depth_ = 0;
  std::uint32_t recursion_limit_ = 1000;
  [[no_unique_address]] interruption<Platform> interruption_;
  std::uint32_t nesting_ = 0;
};

/// One call deeper, for a scope. Throws recursion_limit_exceeded at the limit.
template <class Platform>
class [[nodiscard]] deeper {
public:
  /// Throws recursion_limit_exceeded. Precondition: the thread runs.
  explicit deeper(thread_state<Platform>& caller) : state_(caller) {
    if (!caller.descend()) throw recursion_limit_exceeded(caller.recursion_limit());
  }
  deeper(const deeper&) = delete;
  deeper& operator=(const deeper&) = delete;
  ~deeper() { state_.ascend(); }

private:
  thread_state<Platform>& state_;
};

#if UINTPTR_MAX > 0xFFFFFFFF
static_assert(sizeof(thread_state<posix_platform>) <= 96);
#endif

}  // namespace conch
