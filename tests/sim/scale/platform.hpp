// SPDX-License-Identifier: MIT
#pragma once

#include "computer.hpp"

#include <algorithm>
#include <atomic>  // std::memory_order
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

namespace conch::sim::scale {

/// A platform like conch::posix_platform on a simulated machine with many cores: what takes time
/// there takes the time of machine_costs here. Memory orders are not looked at; sim_platform is for
/// those. Mutex, condition, semaphore and parker are as glibc makes them of a word and a futex, and
/// serve sleepers in the order in which they came.
struct modelled_platform {
  using clock = scale::clock;
  using time_point = scale::time_point;
  using duration = scale::duration;
  using thread_id = std::uintptr_t;

  static thread_id this_thread() noexcept { return thread_id{computer::here().self()} + 1; }
  static time_point now() noexcept {
    computer::here().spend(computer::here().costs().clock_read);
    return clock::now();
  }
  static void relax() noexcept { computer::here().spend(computer::here().costs().relax); }
  static unsigned looks_per_microsecond() noexcept { return 32; }
  static void yield() noexcept { call(); }
  static unsigned cpu_count() noexcept { return computer::here().cores(); }
  [[noreturn]] static void die(const char* line) noexcept {
    std::fprintf(stderr, "%s\n", line);
    std::abort();
  }
  static void fence(std::memory_order) noexcept {}

  template <class T>
  static T& of_this_thread() noexcept {
    return *static_cast<T*>(entry_of<T>(computer::here().objects_of_thread()).object.get());
  }
  template <class T>
  static void watch_thread_exit() noexcept {
    entry_of<T>(computer::here().objects_of_thread()).at_exit = [](void* object) {
      static_cast<T*>(object)->at_thread_exit();
    };
  }
  template <class T>
  static T& of_this_process() noexcept {
    return *static_cast<T*>(entry_of<T>(computer::here().objects_of_all()).object.get());
  }

  template <class T>
  using plain = T;  // its lines come along with those of the mutex that guards it

  /// Has a line of the cache to itself.
  template <class T>
  class atomic {
  public:
    constexpr atomic() noexcept = default;
    constexpr atomic(T value) noexcept : value_(value) {}  // NOLINT: as std::atomic
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;

    T load(std::memory_order = std::memory_order_seq_cst) const noexcept {
      computer::here().read(line_);
      return value_;
    }
    void store(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
      computer::here().write(line_);
      value_ = value;
    }
    T exchange(T value, std::memory_order = std::memory_order_seq_cst) noexcept {
      computer::here().modify(line_);
      return std::exchange(value_, value);
    }
    bool compare_exchange_strong(T& expected, T desired, std::memory_order = {},
                                 std::memory_order = {}) noexcept {
      computer::here().modify(line_);
      const bool same = value_ == expected;
      if (same)
        value_ = desired;
      else
        expected = value_;
      return same;
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order = {},
                               std::memory_order = {}) noexcept {
      return compare_exchange_strong(expected, desired);
    }
    T fetch_add(T by, std::memory_order = {}) noexcept {
      return exchange_for([by](T v) { return static_cast<T>(v + by); });
    }
    T fetch_sub(T by, std::memory_order = {}) noexcept {
      return exchange_for([by](T v) { return static_cast<T>(v - by); });
    }
    T fetch_or(T by, std::memory_order = {}) noexcept {
      return exchange_for([by](T v) { return static_cast<T>(v | by); });
    }
    T fetch_and(T by, std::memory_order = {}) noexcept {
      return exchange_for([by](T v) { return static_cast<T>(v & by); });
    }

  private:
    template <class Change>
    T exchange_for(Change change) noexcept {
      computer::here().modify(line_);
      return std::exchange(value_, change(value_));
    }

    T value_{};
    mutable cache_line line_;
  };

private:
  static void call() noexcept { computer::here().spend(computer::here().costs().system_call); }

  /// Who sleeps on a futex, in the order of arrival.
  class sleepers {
  public:
    [[nodiscard]] bool empty() const noexcept { return threads_.empty(); }
    void add_self() { threads_.push_back(computer::here().self()); }
    /// True if the caller was still there.
    bool remove_self() noexcept { return std::erase(threads_, computer::here().self()) != 0; }
    [[nodiscard]] bool has_self() const noexcept {
      return std::find(threads_.begin(), threads_.end(), computer::here().self()) != threads_.end();
    }
    void wake_first() {
      if (empty()) return;
      call();
      if (!empty()) wake_front();
    }
    void wake_all() {
      if (empty()) return;
      call();
      for (auto left = threads_.size(); left != 0 && !empty(); --left) wake_front();
    }

  private:
    void wake_front() {
      const auto first = threads_.front();
      threads_.erase(threads_.begin());
      computer::here().wake(first, this);
    }

    std::vector<computer::thread> threads_;
  };

public:
  /// Whoever comes at the right moment has it: a woken thread competes.
  class mutex {
  public:
    constexpr mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;

    void lock() noexcept {
      computer::here().modify(line_);
      while (locked_) {
        call();
        if (!locked_) break;
        waiting_.add_self();
        computer::here().sleep(&waiting_, computer::reason::lock);
        computer::here().modify(line_);
      }
      locked_ = true;
    }
    bool try_lock() noexcept {
      computer::here().modify(line_);
      return !std::exchange(locked_, true);
    }
    void unlock() noexcept {
      computer::here().modify(line_);
      locked_ = false;
      waiting_.wake_first();
    }

  private:
    bool locked_ = false;
    cache_line line_;
    sleepers waiting_;
  };

  class condition {
  public:
    constexpr condition() noexcept = default;
    condition(const condition&) = delete;
    condition& operator=(const condition&) = delete;

    void wait(mutex& m) noexcept { wait_until(m, time_point::max()); }
    void wait_until(mutex& m, time_point deadline) noexcept {
      computer::here().modify(line_);
      waiting_.add_self();
      m.unlock();
      call();
      if (waiting_.has_self()) computer::here().sleep(&waiting_, computer::reason::lock, deadline);
      waiting_.remove_self();
      m.lock();
    }
    void notify_one() noexcept {
      computer::here().read(line_);
      waiting_.wake_first();
    }
    void notify_all() noexcept {
      computer::here().read(line_);
      waiting_.wake_all();
    }

  private:
    cache_line line_;
    sleepers waiting_;
  };

  class semaphore {
  public:
    explicit semaphore(unsigned count) noexcept : count_(count) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;

    void acquire() noexcept { try_acquire_until(time_point::max()); }
    bool try_acquire() noexcept {
      computer::here().modify(line_);
      return take();
    }
    bool try_acquire_until(time_point deadline) noexcept {
      while (!try_acquire()) {
        if (now() >= deadline) return false;
        call();
        if (count_ != 0) continue;
        waiting_.add_self();
        computer::here().sleep(&waiting_, computer::reason::lock, deadline);
        waiting_.remove_self();
      }
      return true;
    }
    void release() noexcept {
      computer::here().modify(line_);
      ++count_;
      waiting_.wake_first();
    }
    int count() const noexcept {
      computer::here().read(line_);
      return static_cast<int>(count_);
    }

  private:
    bool take() noexcept {
      if (count_ == 0) return false;
      --count_;
      return true;
    }

    unsigned count_;
    mutable cache_line line_;
    sleepers waiting_;
  };

  class parker {
  public:
    class waker {
    public:
      constexpr waker() noexcept = default;
      void wake() const noexcept {
        if (sleeper_ == nullptr) return;
        call();
        computer::here().wake(thread_, sleeper_);
      }

    private:
      friend class parker;
      waker(const parker* sleeper, computer::thread thread) noexcept
          : sleeper_(sleeper), thread_(thread) {}
      const parker* sleeper_ = nullptr;
      computer::thread thread_ = 0;
    };

    constexpr parker() noexcept = default;
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    void park() noexcept { park_until(time_point::max()); }
    bool park_until(time_point deadline) noexcept {
      computer::here().modify(line_);
      if (!std::exchange(token_, false)) {
        thread_ = computer::here().self();
        asleep_ = true;
        call();
        bool in_time = true;
        while (!token_ && in_time)
          in_time = computer::here().sleep(this, computer::reason::lock, deadline);
        computer::here().modify(line_);
        asleep_ = false;
        return std::exchange(token_, false);
      }
      return true;
    }
    [[nodiscard]] waker unpark() noexcept {
      computer::here().modify(line_);
      token_ = true;
      return asleep_ ? waker(this, thread_) : waker();
    }

  private:
    bool token_ = false;
    bool asleep_ = false;
    computer::thread thread_ = 0;
    cache_line line_;
  };

private:
  template <class T>
  static inline const char type_tag = 0;

  template <class T>
  static computer::owned_object& entry_of(std::vector<computer::owned_object>& all) noexcept {
    for (auto& entry : all)
      if (entry.type == &type_tag<T>) return entry;
    return all.emplace_back(computer::owned_object{&type_tag<T>, std::make_shared<T>(), nullptr});
  }
};

}  // namespace conch::sim::scale
