// SPDX-License-Identifier: MIT
#pragma once

#include <conch/extremes.hpp>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>  // bit_cast, popcount: sets of CPUs
#include <cerrno>
#include <chrono>
#include <climits>  // INT_MAX: the most waiters that a futex wake can name
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

// CONCH_LIKE_FREEBSD and CONCH_LIKE_MACOS take the paths for these systems on another one, as far as it
// has what they need: no futex and no sem_clockwait(), and on macOS no unnamed semaphores either.
#if defined(__linux__) && !defined(CONCH_LIKE_FREEBSD) && !defined(CONCH_LIKE_MACOS)
#define CONCH_LINUX 1
#endif

#if defined(CONCH_LINUX)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

/// On what must be one and the same in a whole process, also across shared libraries that hide
/// their symbols. (A library that clang built and that is loaded with RTLD_LOCAL still has its
/// own.)
#define CONCH_SHARED __attribute__((visibility("default")))

#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 30) && defined(CONCH_LINUX)
#define CONCH_HAS_CLOCKWAIT 1
#endif
#if !__GLIBC_PREREQ(2, 41)
#define CONCH_CONDITION_LOSES_SIGNALS 1
#endif
#endif

#if defined(__SANITIZE_THREAD__)
#define CONCH_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CONCH_TSAN 1
#endif
#endif

#if defined(CONCH_TSAN)
extern "C" void __tsan_acquire(void*);
extern "C" void __tsan_release(void*);
#endif

namespace conch {

/// What the locks need of the operating system, and the only header that names it.
///
/// Every lock is a template over a platform, so that a test can put a deterministic scheduler with
/// simulated time in the place of this one. No function here changes errno. All times are of the
/// monotonic clock.
struct CONCH_SHARED posix_platform {
  using clock = std::chrono::steady_clock;  ///< the monotonic clock
  using time_point = clock::time_point;     ///< of the platform's clock
  using duration = clock::duration;         ///< of the platform's clock

  /// What the locks keep in common.
  template <class T>
  using atomic = std::atomic<T>;

  /// Data that a lock's internal mutex guards. A simulated platform looks for races on it.
  template <class T>
  using plain = T;

  /// Identifies a live thread; async-signal-safe. The value 0 is no thread.
  using thread_id = std::uintptr_t;

  /// Names the calling thread while it lives.
  static thread_id this_thread() noexcept {
    return (thread_id)::pthread_self();  // an integer on Linux, a pointer on BSD
  }

  static time_point now() noexcept { return clock::now(); }  ///< the time, by the monotonic clock

  /// Tells the CPU that the caller spins.
  static void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
  }

  /// How many times in a microsecond a spinning thread looks and relaxes, as measured at the first call: a
  /// pause does not last as long on every CPU. At least 1.
  static unsigned looks_per_microsecond() noexcept {
    static constinit std::atomic<unsigned> measured{0};
    auto looks = measured.load(std::memory_order_relaxed);  // any thread finds about the same
    if (looks == 0) [[unlikely]]
      measured.store(looks = measure_looks(), std::memory_order_relaxed);
    return looks;
  }

  /// Lets the operating system run another thread.
  static void yield() noexcept {
    const errno_keeper keep;
    ::sched_yield();
  }

  /// How many CPUs the threads that have called this may use between them, each as of its first call: a
  /// program may bind every thread to a CPU of its own. At least 1.
  static unsigned cpu_count() noexcept {
    static constinit thread_local bool is_counted = false;
    auto& cpus = of_this_process<usable_cpus>();
    if (!is_counted) [[unlikely]] {
      cpus.add_those_of_caller();
      is_counted = true;
    }
    return cpus.count();
  }

  /// Writes one line to the error stream and ends the process.
  [[noreturn]] static void die(const char* line) noexcept {
    std::fputs(line, stderr);
    std::fputc('\n', stderr);
    std::fflush(stderr);
    std::abort();
  }

  /// The calling thread's own T, constant-initialised; one per thread in the whole process if T is
  /// CONCH_SHARED. A T that is trivially destructible, as one with a parker is on Linux, can be used as
  /// long as the thread runs; others end with the thread's thread_local objects.
  template <class T>
  CONCH_SHARED static T& of_this_thread() noexcept {
    static constinit thread_local T object;
    return object;
  }

  /// Has T::at_thread_exit() called for the calling thread's own T when the thread ends, after the
  /// destructors of all of its thread_local objects, and again if one that comes later asks again.
  template <class T>
  CONCH_SHARED static void watch_thread_exit() noexcept {
    struct exit_key {
      ::pthread_key_t key{};
      exit_key() noexcept {
        if (::pthread_key_create(
                &key, [](void* object) { static_cast<T*>(object)->at_thread_exit(); }) != 0)
          die("conch: no pthread key is left, and one is needed to see threads end");
      }
    };
    static const exit_key exit;
    ::pthread_setspecific(exit.key, &of_this_thread<T>());
  }

  /// The one T of the process if T is CONCH_SHARED, constant-initialised and never destroyed.
  template <class T>
  CONCH_SHARED static T& of_this_process() noexcept {
    union immortal {
      T object{};
      constexpr immortal() noexcept : object() {}
      ~immortal() {}  // NOLINT(*use-equals-default): that would destroy the object
    };
    static constinit immortal only;
    return only.object;
  }

  /// A mutex that can be a constant; neither recursive nor timed.
  class mutex {
  public:
    constexpr mutex() noexcept = default;
    mutex(const mutex&) = delete;
    mutex& operator=(const mutex&) = delete;
    ~mutex() { ::pthread_mutex_destroy(&native_); }

    void lock() noexcept { ::pthread_mutex_lock(&native_); }  ///< blocks until the caller has it
    /// Takes it if nobody has it.
    bool try_lock() noexcept { return ::pthread_mutex_trylock(&native_) == 0; }
    /// Precondition: the caller has it.
    void unlock() noexcept { ::pthread_mutex_unlock(&native_); }

  private:
    friend struct posix_platform;
    ::pthread_mutex_t native_ = PTHREAD_MUTEX_INITIALIZER;
  };

  /// A condition variable on the monotonic clock. Every wait may end for no reason, and so callers
  /// look again; glibc before 2.41 can lose a signal (its bug 25847), and so no wait there lasts
  /// longer than heal_period before it ends for no reason.
  class condition {
  public:
#if defined(CONCH_HAS_CLOCKWAIT) || !defined(CONCH_LINUX)
    constexpr condition() noexcept = default;
#else
    condition() noexcept {
      ::pthread_condattr_t attributes;
      ::pthread_condattr_init(&attributes);
      ::pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
      ::pthread_cond_init(&native_, &attributes);
      ::pthread_condattr_destroy(&attributes);
    }
#endif
    condition(const condition&) = delete;
    condition& operator=(const condition&) = delete;
    ~condition() { ::pthread_cond_destroy(&native_); }

    /// Precondition for both waits: the caller holds m.
    void wait(mutex& m) noexcept {
#if defined(CONCH_CONDITION_LOSES_SIGNALS)
      wait_until(m, now() + heal_period);
#else
      ::pthread_cond_wait(&native_, &m.native_);
#endif
    }

    /// Returns when signalled, at the deadline, or for no reason.
    void wait_until(mutex& m, time_point deadline) noexcept {
#if defined(__APPLE__)
      const auto left = to_timespec(deadline - now());
      ::pthread_cond_timedwait_relative_np(&native_, &m.native_, &left);
#else
#if defined(CONCH_CONDITION_LOSES_SIGNALS)
      const auto heal = now() + heal_period;
      if (heal < deadline) deadline = heal;
#endif
#if defined(CONCH_HAS_CLOCKWAIT)
      const auto absolute = to_timespec(deadline.time_since_epoch());
      ::pthread_cond_clockwait(&native_, &m.native_, CLOCK_MONOTONIC, &absolute);
#elif defined(CONCH_LINUX)
      const auto absolute = to_timespec(deadline.time_since_epoch());
      ::pthread_cond_timedwait(&native_, &m.native_, &absolute);
#else  // by the clock that may be set, and so in pieces
      const auto absolute = soon_on_realtime_clock(deadline);
      ::pthread_cond_timedwait(&native_, &m.native_, &absolute);
#endif
#endif
    }

    /// Ends one wait, if there is one.
    void notify_one() noexcept { ::pthread_cond_signal(&native_); }
    void notify_all() noexcept { ::pthread_cond_broadcast(&native_); }  ///< ends all waits

    static constexpr std::chrono::milliseconds heal_period{50};  ///< see above

  private:
    ::pthread_cond_t native_ = PTHREAD_COND_INITIALIZER;
  };

#if defined(__APPLE__) || defined(CONCH_LIKE_MACOS)
  /// A counting semaphore.
  class semaphore {
  public:
    /// With that count.
    explicit semaphore(unsigned count) noexcept : count_(count) {}

    /// Waits until the count is positive, and takes one off.
    void acquire() noexcept {
      mutex_.lock();
      while (count_ == 0) condition_.wait(mutex_);
      --count_;
      mutex_.unlock();
    }

    /// Takes one off if the count is positive.
    bool try_acquire() noexcept { return try_acquire_until(time_point::min()); }

    /// Waits for that until the deadline at most.
    bool try_acquire_until(time_point deadline) noexcept {
      mutex_.lock();
      while (count_ == 0 && now() < deadline) condition_.wait_until(mutex_, deadline);
      const bool some = count_ != 0;
      if (some) --count_;
      mutex_.unlock();
      return some;
    }

    /// Adds one, and lets a waiter run.
    void release() noexcept {
      mutex_.lock();
      ++count_;
      condition_.notify_one();  // under the mutex: the semaphore may be gone after it
      mutex_.unlock();
    }

    /// A snapshot of the count.
    int count() const noexcept {
      mutex_.lock();
      const auto seen = count_;
      mutex_.unlock();
      return static_cast<int>(seen);
    }

  private:
    mutable mutex mutex_;
    condition condition_;
    unsigned count_;
  };
#else
  /// A counting semaphore: an unnamed POSIX one, which cannot be a constant.
  class semaphore {
  public:
    /// With that count.
    explicit semaphore(unsigned count) noexcept { ::sem_init(&native_, 0, count); }
    semaphore(const semaphore&) = delete;
    semaphore& operator=(const semaphore&) = delete;
    ~semaphore() { ::sem_destroy(&native_); }

    /// Waits until the count is positive, and takes one off.
    void acquire() noexcept {
      const errno_keeper keep;
      while (::sem_wait(&native_) != 0) {
        // A signal handler ran: wait again.
      }
    }

    /// Takes one off if the count is positive.
    bool try_acquire() noexcept {
      const int kept = errno;  // written back on failure alone: a success leaves it as it is
      while (::sem_trywait(&native_) != 0) {
        const bool is_none_left = errno == EAGAIN;
        errno = kept;
        if (is_none_left) return false;
      }
      return true;
    }

    /// Waits for that until the deadline at most.
    bool try_acquire_until(time_point deadline) noexcept {
      const errno_keeper keep;
#if defined(CONCH_HAS_CLOCKWAIT)
      const auto absolute = to_timespec(deadline.time_since_epoch());
      while (::sem_clockwait(&native_, CLOCK_MONOTONIC, &absolute) != 0)
        if (errno != EINTR) return false;
#else  // by the clock that may be set, and so in pieces
      while (!try_acquire()) {
        if (now() >= deadline) return false;
        const auto absolute = soon_on_realtime_clock(deadline);
        if (::sem_timedwait(&native_, &absolute) == 0) return true;
      }
#endif
#if defined(CONCH_TSAN)
      __tsan_acquire(&native_);  // g++ 12 and clang 14 do not know sem_clockwait
#endif
      return true;
    }

    /// Adds one, and lets a waiter run.
    void release() noexcept {  // fails only where the count is at its limit
#if defined(CONCH_TSAN)
      __tsan_release(&native_);
#endif
      ::sem_post(&native_);
    }

    /// A snapshot of the count.
    int count() const noexcept {
      int value = 0;
      ::sem_getvalue(const_cast<::sem_t*>(&native_), &value);
      return value;
    }

  private:
    ::sem_t native_;
  };
#endif

  /// One thread's own place to sleep: a token that park() waits for and takes, and that unpark()
  /// leaves. A token left before the park ends it at once; two tokens are one. A park can end by a
  /// token that was meant for an earlier one, and so callers look again.
  class parker {
  public:
    /// The second half of an unpark. It does not touch the parker's memory, so that the thread may
    /// be gone by then, and costs a system call only where the thread really sleeps.
    class waker {
    public:
      constexpr waker() noexcept = default;
      /// Lets the thread run that unpark() has left a token for. Async-signal-safe on Linux.
      void wake() const noexcept;

    private:
      friend class parker;
      explicit waker(parker* sleeper) noexcept : sleeper_(sleeper) {}
      parker* sleeper_ = nullptr;
    };

    constexpr parker() noexcept = default;
    parker(const parker&) = delete;
    parker& operator=(const parker&) = delete;

    /// Waits for a token and takes it. Called by the parker's own thread alone.
    void park() noexcept { wait(nullptr); }

    /// The same until a deadline. True if it took a token.
    bool park_until(time_point deadline) noexcept { return wait(&deadline); }

    /// Leaves a token. The thread may sleep on until wake() is called on what this returns.
    /// Async-signal-safe on Linux.
    [[nodiscard]] waker unpark() noexcept;

  private:
    bool wait(const time_point* deadline) noexcept;

#if defined(CONCH_LINUX)
    enum : std::uint32_t { empty, token, sleeping };
#if defined(SYS_futex_time64)  // 32-bit machines, whose std::time_t may be either
    static constexpr long futex_call = sizeof(std::time_t) > sizeof(long) ? SYS_futex_time64
                                                                          : SYS_futex;
#else
    static constexpr long futex_call = SYS_futex;
#endif
    bool sleep(const time_point* deadline) noexcept;
    std::atomic<std::uint32_t> state_{empty};
#else
    mutex mutex_;
    condition condition_;
    bool token_ = false;
#endif
  };

private:
  class errno_keeper {
  public:
    errno_keeper() noexcept : kept_(errno) {}
    errno_keeper(const errno_keeper&) = delete;
    errno_keeper& operator=(const errno_keeper&) = delete;
    ~errno_keeper() { errno = kept_; }

  private:
    int kept_;
  };

  static ::timespec to_timespec(std::chrono::nanoseconds time) noexcept {
    if (time < std::chrono::nanoseconds::zero()) time = std::chrono::nanoseconds::zero();
    const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    ::timespec result{};
    result.tv_sec = static_cast<std::time_t>(seconds.count());
    result.tv_nsec = static_cast<long>((time - seconds).count());
    return result;
  }

  /// Precondition: the deadline has not passed by much. No further away than heal_period: whoever sets that
  /// clock makes a wait no longer than that, and no sum is too large.
  static ::timespec soon_on_realtime_clock(time_point deadline) noexcept {
    ::timespec today;
    ::clock_gettime(CLOCK_REALTIME, &today);
    const auto left = detail::least_of<duration>(deadline - now(), condition::heal_period);
    return to_timespec(std::chrono::seconds(today.tv_sec) +
                       std::chrono::nanoseconds(today.tv_nsec) + left);
  }

  /// A few microseconds of looks, less what it takes to read the clock. Where that is too coarse to tell, as
  /// many as on a common CPU.
  static unsigned measure_looks() noexcept {
    constexpr unsigned looks = 64;
    const std::atomic<unsigned> something{0};
    const auto look = [&] {
      for (unsigned i = 0; i < looks; ++i) {
        relax();
        static_cast<void>(something.load(std::memory_order_relaxed));
      }
    };
    const auto time = shortest_time_of(look) - shortest_time_of([] {});
    if (time <= duration::zero()) return 32;
    const auto found = looks * duration(std::chrono::microseconds(1)) / time;
    return static_cast<unsigned>(
        detail::least_of<duration::rep>(detail::most_of<duration::rep>(found, 1), 1'000));
  }

  /// Of a few times: what else ran meanwhile is none of it.
  template <class Step>
  static duration shortest_time_of(Step step) noexcept {
    auto shortest = duration::max();
    for (int times = 0; times < 3; ++times) {
      const auto begin = now();
      step();
      shortest = detail::least_of(shortest, now() - begin);
    }
    return shortest;
  }

  /// The CPUs that threads of this process may use, as far as they have asked. Relaxed, all of it: a count,
  /// which orders nothing.
  class CONCH_SHARED usable_cpus {
  public:
    [[nodiscard]] unsigned count() const noexcept { return count_.load(std::memory_order_relaxed); }

    void add_those_of_caller() noexcept {
      const errno_keeper keep;
      const auto known = count_those_known();
      auto count = count_.load(std::memory_order_relaxed);
      while (count < known &&
             !count_.compare_exchange_weak(count, known, std::memory_order_relaxed)) {
        // Another thread has counted: look again.
      }
    }

  private:
    /// At least 1. Counted anew each time: a fork may have come between what another thread does here.
    unsigned count_those_known() noexcept {
#if defined(CONCH_LINUX)
      ::cpu_set_t own;
      if (::sched_getaffinity(0, sizeof own, &own) == 0) {
        const auto masks = std::bit_cast<std::array<unsigned long, parts>>(own);
        int count = 0;
        for (std::size_t i = 0; i < parts; ++i)
          count +=
              std::popcount(known_[i].fetch_or(masks[i], std::memory_order_relaxed) | masks[i]);
        return static_cast<unsigned>(count);
      }
#endif
      const auto online = ::sysconf(_SC_NPROCESSORS_ONLN);
      return online > 0 ? static_cast<unsigned>(online) : 1U;
    }

#if defined(CONCH_LINUX)
    static constexpr std::size_t parts = sizeof(::cpu_set_t) / sizeof(unsigned long);
    std::array<std::atomic<unsigned long>, parts> known_{};
#endif
    std::atomic<unsigned> count_{0};
  };
};

#if defined(CONCH_LINUX)

// The parker's word goes empty → sleeping (park) → token (unpark) → empty (the end of park), or
// empty → token (unpark) → empty (park). unpark()'s release pairs with both acquires of wait().

inline posix_platform::parker::waker posix_platform::parker::unpark() noexcept {
  const bool slept = state_.exchange(token, std::memory_order_release) == sleeping;
  return slept ? waker(this) : waker();
}

inline void posix_platform::parker::waker::wake() const noexcept {
  if (sleeper_ == nullptr) return;
  const errno_keeper keep;
  ::syscall(futex_call, &sleeper_->state_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

inline bool posix_platform::parker::wait(const time_point* deadline) noexcept {
  const errno_keeper keep;
  auto state = std::uint32_t{empty};
  if (!state_.compare_exchange_strong(state, sleeping, std::memory_order_relaxed)) {
    state_.exchange(empty, std::memory_order_acquire);  // a token was here: unpark()
    return true;
  }
  for (;;) {
    const bool expired = sleep(deadline);
    if (!expired && state_.load(std::memory_order_relaxed) == sleeping) continue;
    return state_.exchange(empty, std::memory_order_acquire) == token;  // unpark()
  }
}

/// Until it is woken, a signal comes, or the deadline; true in the last case.
inline bool posix_platform::parker::sleep(const time_point* deadline) noexcept {
#if defined(CONCH_TSAN)
  // It holds back the handler of a signal that comes between a function that it knows and the system
  // call (LLVM issue 83844), until the next such function: that of errno, below.
  const auto soon = now() + condition::heal_period;
  const bool is_last = deadline != nullptr && *deadline <= soon;
  if (!is_last) deadline = &soon;
#else
  constexpr bool is_last = true;
#endif
  const auto absolute = to_timespec(deadline ? deadline->time_since_epoch() : duration::zero());
  const auto result =
      ::syscall(futex_call, &state_, FUTEX_WAIT_BITSET_PRIVATE, std::uint32_t{sleeping},
                deadline ? &absolute : nullptr, nullptr, FUTEX_BITSET_MATCH_ANY);
  return result != 0 && errno == ETIMEDOUT && is_last;
}

#else

inline posix_platform::parker::waker posix_platform::parker::unpark() noexcept {
  mutex_.lock();
  token_ = true;
  condition_.notify_one();  // under the mutex: the parker may be gone after it
  mutex_.unlock();
  return waker();
}

inline void posix_platform::parker::waker::wake() const noexcept {}

inline bool posix_platform::parker::wait(const time_point* deadline) noexcept {
  mutex_.lock();
  while (!token_ && (deadline == nullptr || now() < *deadline)) {
    if (deadline != nullptr)
      condition_.wait_until(mutex_, *deadline);
    else
      condition_.wait(mutex_);
  }
  const bool took = token_;
  token_ = false;
  mutex_.unlock();
  return took;
}

#endif

}  // namespace conch
