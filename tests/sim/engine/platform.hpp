// SPDX-License-Identifier: MIT
#pragma once

#include "world.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <new>
#include <type_traits>

namespace conch::sim {

/// A platform like conch::posix_platform whose threads are fibers on simulated time. See world.hpp.
///
/// Every operation is a choice point before it.
struct sim_platform {
  using clock = sim::clock;
  using time_point = sim::time_point;
  using duration = sim::duration;
  using thread_id = std::uintptr_t;

  static thread_id this_thread() noexcept { return engine::self() + 1; }
  static time_point now() noexcept {
    engine::point(engine::operation::clock_read, nullptr);
    return clock::now();
  }
  static void relax() noexcept { engine::spin(engine::operation::relax); }
  /// Each is a step here, whatever a relax() lasts.
  static unsigned looks_per_microsecond() noexcept { return 32; }
  static void yield() noexcept { engine::spin(engine::operation::yield); }
  static unsigned cpu_count() noexcept;
  [[noreturn]] static void die(const char* line) noexcept { engine::stop(line); }
  static void fence(std::memory_order order) noexcept { engine::fence(order); }

  template <class T>
  static T& of_this_thread() noexcept {
    return object_in<T>(engine::own(&type_tag<T>));
  }
  template <class T>
  static void watch_thread_exit() noexcept {
    auto& entry = engine::own(&type_tag<T>);
    object_in<T>(entry);
    entry.at_exit = [](void* object) { static_cast<T*>(object)->at_thread_exit(); };
    entry.watched = true;
  }
  template <class T>
  static T& of_this_process() noexcept {
    return object_in<T>(engine::shared(&type_tag<T>));
  }

  template <class T>
  class atomic {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

  public:
    constexpr atomic() noexcept = default;
    constexpr atomic(T value) noexcept : value_(value) {}  // NOLINT: as std::atomic
    atomic(const atomic&) = delete;
    atomic& operator=(const atomic&) = delete;

    T load(std::memory_order order = std::memory_order_seq_cst) const noexcept {
      engine::point(engine::operation::load, this, life_);
      T read = value_;
      if (engine::is_weak()) read = from_bits(engine::load(where_, to_bits(value_), order));
      engine::result(to_bits(read));
      return read;
    }

    void store(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
      engine::point(engine::operation::store, this, life_);
      if (engine::is_weak()) engine::store(where_, to_bits(value_), to_bits(value), order);
      set(value);
    }

    T exchange(T value, std::memory_order order = std::memory_order_seq_cst) noexcept {
      engine::point(engine::operation::modify, this, life_);
      return modify(value, order);
    }

    bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                 std::memory_order failure) noexcept {
      engine::point(engine::operation::compare, this, life_);
      return compare(expected, desired, success, failure);
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order order = std::memory_order_seq_cst) noexcept {
      return compare_exchange_strong(expected, desired, order, without_release(order));
    }
    bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                               std::memory_order failure) noexcept {
      engine::point(engine::operation::compare, this, life_);
      const bool in_vain = to_bits(value_) == to_bits(expected) && engine::spurious();
      if (in_vain) {
        modify_nothing(failure);
        return false;
      }
      return compare(expected, desired, success, failure);
    }
    bool compare_exchange_weak(T& expected, T desired,
                               std::memory_order order = std::memory_order_seq_cst) noexcept {
      return compare_exchange_weak(expected, desired, order, without_release(order));
    }

    T fetch_add(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
      return change([by](T v) { return static_cast<T>(v + by); }, order);
    }
    T fetch_sub(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
      return change([by](T v) { return static_cast<T>(v - by); }, order);
    }
    T fetch_or(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
      return change([by](T v) { return static_cast<T>(v | by); }, order);
    }
    T fetch_and(T by, std::memory_order order = std::memory_order_seq_cst) noexcept {
      return change([by](T v) { return static_cast<T>(v & by); }, order);
    }

  private:
    static std::uint64_t to_bits(T value) noexcept {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &value, sizeof value);
      return bits;
    }
    static T from_bits(std::uint64_t bits) noexcept {
      T value;
      std::memcpy(static_cast<void*>(&value), &bits, sizeof value);
      return value;
    }
    static constexpr std::memory_order without_release(std::memory_order order) noexcept {
      if (order == std::memory_order_acq_rel) return std::memory_order_acquire;
      if (order == std::memory_order_release) return std::memory_order_relaxed;
      return order;
    }

    void set(T value) noexcept {
      const bool same = to_bits(value_) == to_bits(value);
      value_ = value;
      engine::result(to_bits(value));
      if (!same) engine::changed();
    }

    T modify(T value, std::memory_order order) noexcept {
      const T before = value_;
      if (engine::is_weak()) engine::modify(where_, to_bits(before), to_bits(value), order);
      set(value);
      return before;
    }

    /// A compare-and-swap that fails: a load, taken to be of the newest value.
    void modify_nothing(std::memory_order order) noexcept {
      if (engine::is_weak()) engine::load_newest(where_, to_bits(value_), order);
      engine::result(to_bits(value_));
    }

    bool compare(T& expected, T desired, std::memory_order success,
                 std::memory_order failure) noexcept {
      if (to_bits(value_) == to_bits(expected)) {
        modify(desired, success);
        return true;
      }
      modify_nothing(failure);
      expected = value_;
      return false;
    }

    template <class Change>
    T change(Change how, std::memory_order order) noexcept {
      engine::point(engine::operation::modify, this, life_);
      return modify(how(value_), order);
    }

    T value_{};
    engine::life life_;
    mutable engine::handle where_;
  };

  /// Data without an order of its own: two accesses, one of them a write, that do not happen one
  /// before the other are a race.
  template <class T>
  class plain {
  public:
    constexpr plain() noexcept = default;
    constexpr plain(T value) noexcept : value_(value) {}  // NOLINT: as a T
    plain(const plain& other) noexcept : value_(other.read()) {}
    plain& operator=(const plain& other) noexcept { return *this = other.read(); }
    plain& operator=(T value) noexcept {
      if (life_.over()) engine::stop("plain data written after its end");
      engine::write_plain(log_, this);
      value_ = value;
      return *this;
    }
    operator T() const noexcept { return read(); }  // NOLINT: as a T
    T operator->() const noexcept requires std::is_pointer_v<T> { return read(); }

    friend bool operator==(const plain& a, const T& b) noexcept requires std::is_class_v<T> {
      return a.read() == b;
    }

  private:
    T read() const noexcept {
      if (life_.over()) engine::stop("plain data read after its end");
      engine::read_plain(log_, this);
      return value_;
    }

    T value_{};
    engine::life life_;
    mutable engine::access_log log_;
  };

  /// A mutex for whose passing on there is no order.
  class mutex {
  public:
    constexpr mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    ~mutex() {
      if (owner_ != 0 && running()) engine::stop("a mutex was destroyed while locked");
    }

    void lock() noexcept {
      engine::point(engine::operation::lock, this, life_);
      if (owner_ == this_thread()) engine::stop("a mutex was locked again by its owner");
      while (owner_ != 0) {
        waiting_.push_back(engine::self());
        engine::sleep(engine::awaits::mutex, this, nullptr);
      }
      take();
    }
    bool try_lock() noexcept {
      engine::point(engine::operation::lock, this, life_);
      if (owner_ != 0) return false;
      take();
      return true;
    }
    void unlock() noexcept {
      engine::point(engine::operation::unlock, this, life_);
      release();
    }

  private:
    friend struct sim_platform;

    void take() noexcept {
      owner_ = this_thread();
      engine::acquire_clock(clock_);
    }
    void release() noexcept {
      if (owner_ != this_thread()) engine::stop("a mutex was unlocked by a thread without it");
      owner_ = 0;
      engine::release_clock(clock_);
      for (unsigned thread : waiting_) engine::wake(thread, false);
      waiting_.clear();
    }

    thread_id owner_ = 0;
    engine::sleepers waiting_;
    engine::vector_clock clock_{};
    engine::life life_;
  };

  class condition {
  public:
    constexpr condition() noexcept = default;
    condition(const condition&) = delete;
    condition& operator=(const condition&) = delete;
    ~condition() {
      if (!waiting_.empty() && running()) engine::stop("a condition was destroyed with waiters");
    }

    void wait(mutex& m) noexcept { sleep(m, nullptr); }
    void wait_until(mutex& m, time_point deadline) noexcept {
      sleep(m, deadline == time_point::max() ? nullptr : &deadline);
    }

    void notify_one() noexcept {
      engine::point(engine::operation::notify, this, life_);
      if (waiting_.empty()) return;
      const auto which = engine::choose(choice::data, static_cast<unsigned>(waiting_.size()));
      const unsigned thread = waiting_[which];
      waiting_.erase(waiting_.begin() + which);
      engine::wake(thread, true);
    }
    void notify_all() noexcept {
      engine::point(engine::operation::notify, this, life_);
      for (unsigned thread : waiting_) engine::wake(thread, true);
      waiting_.clear();
    }

  private:
    void sleep(mutex& m, const time_point* deadline) noexcept {
      engine::point(engine::operation::wait, this, life_);
      m.release();
      waiting_.push_back(engine::self());
      if (engine::sleep(engine::awaits::condition, this, deadline) != engine::sleep_end::woken) {
        if (life_.over()) engine::stop("a condition was destroyed with a waiter in it");
        std::erase(waiting_, engine::self());
      }
      m.lock();
    }

    engine::sleepers waiting_;
    engine::life life_;
  };

  class semaphore {
  public:
    explicit semaphore(unsigned count) noexcept : count_(count) {}
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore() {
      if (!waiting_.empty() && running()) engine::stop("a semaphore was destroyed with waiters");
    }

    void acquire() noexcept { wait(nullptr); }
    bool try_acquire() noexcept {
      engine::point(engine::operation::acquire, this, life_);
      return take();
    }
    bool try_acquire_until(time_point deadline) noexcept {
      return wait(deadline == time_point::max() ? nullptr : &deadline);
    }
    void release() noexcept {
      engine::point(engine::operation::release, this, life_);
      ++count_;
      engine::release_clock(clock_);
      engine::changed();
      for (unsigned thread : waiting_) engine::wake(thread, true);
      waiting_.clear();
    }
    int count() const noexcept {
      engine::point(engine::operation::load, this, life_);
      return static_cast<int>(count_);
    }

    /// Off, a signal ends a wait: a fault for the tests of the tests.
    static inline bool retries = true;

  private:
    bool take() noexcept {
      if (count_ == 0) return false;
      --count_;
      engine::acquire_clock(clock_);
      return true;
    }
    bool wait(const time_point* deadline) noexcept {
      engine::point(engine::operation::acquire, this, life_);
      while (!take()) {
        if (deadline != nullptr && *deadline <= clock::now()) return false;
        waiting_.push_back(engine::self());
        const auto end = engine::sleep(engine::awaits::semaphore, this, deadline);
        std::erase(waiting_, engine::self());
        if (end == engine::sleep_end::interrupted && !retries) return false;
      }
      return true;
    }

    unsigned count_;
    engine::sleepers waiting_;
    engine::vector_clock clock_{};
    engine::life life_;
  };

  /// Sleeps on after an unpark until wake() is called, however long that takes.
  class parker {
  public:
    class waker {
    public:
      constexpr waker() noexcept = default;
      void wake() const noexcept {
        if (sleeper_ == nullptr) return;
        engine::point(engine::operation::wake, sleeper_);
        // By number and address: the parker itself may be gone.
        if (engine::sleeps_in(thread_, sleeper_)) engine::wake(thread_, true);
      }

    private:
      friend class parker;
      waker(const parker* sleeper, unsigned thread) noexcept : sleeper_(sleeper), thread_(thread) {}
      const parker* sleeper_ = nullptr;
      unsigned thread_ = 0;
    };

    constexpr parker() noexcept = default;
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    void park() noexcept { wait(nullptr); }
    bool park_until(time_point deadline) noexcept {
      return wait(deadline == time_point::max() ? nullptr : &deadline);
    }
    [[nodiscard]] waker unpark() noexcept {
      engine::point(engine::operation::unpark, this, life_);
      if (publishes) engine::release_clock(clock_);
      engine::changed();
      const bool is_first = !std::exchange(token_, true);  // whoever left the token before wakes it
      return asleep_ && is_first ? waker(this, thread_) : waker();
    }

    /// Off, an unpark orders nothing: a fault for the tests of the tests.
    static inline bool publishes = true;

  private:
    bool wait(const time_point* deadline) noexcept {
      engine::point(engine::operation::park, this, life_);
      thread_ = engine::self();
      asleep_ = !token_;
      if (asleep_)
        while (engine::sleep(engine::awaits::token, this, deadline) !=
                   engine::sleep_end::by_itself &&
               !token_) {
          // A signal, or a wake-up that was meant for an earlier sleep.
        }
      asleep_ = false;
      if (!std::exchange(token_, false)) return false;
      engine::acquire_clock(clock_);
      return true;
    }

    bool token_ = false;
    bool asleep_ = false;
    unsigned thread_ = 0;
    engine::vector_clock clock_{};
    engine::life life_;
  };

private:
  template <class T>
  static inline const char type_tag = 0;

  template <class T>
  static T& object_in(engine::own_object& entry) noexcept {
    if (entry.object == nullptr) {
      entry.object = ::operator new (sizeof(T), std::align_val_t{alignof(T)});
      new (entry.object) T();
      entry.destroy = [](void* object) { static_cast<T*>(object)->~T(); };
      entry.release = [](void* object) {
        ::operator delete (object, std::align_val_t{alignof(T)});
      };
    }
    return *static_cast<T*>(entry.object);
  }
};

}  // namespace conch::sim
