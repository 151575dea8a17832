// SPDX-License-Identifier: MIT
#pragma once

// What a user would take instead of a conch lock, each as a class with lock() and unlock(). One
// whose library this build found missing is a missing_lock.

#include <conch/thread_safety.hpp>

#include <pthread.h>

#ifdef CONCH_BENCH_ABSL
#include <absl/synchronization/mutex.h>
#endif
#ifdef CONCH_BENCH_NSYNC
#include <nsync_mu.h>
#endif
#ifdef CONCH_BENCH_TBB
#include <tbb/queuing_mutex.h>
#endif

#include <cstdint>

namespace conch::bench {

/// A lock that cannot be measured. The class derived from it says why, as `reason`.
struct missing_lock {};

class pthread_mutex {
public:
  pthread_mutex() noexcept = default;
  ~pthread_mutex() { ::pthread_mutex_destroy(&mutex_); }
  pthread_mutex(const pthread_mutex&) = delete;
  pthread_mutex& operator=(const pthread_mutex&) = delete;

  void lock() noexcept { ::pthread_mutex_lock(&mutex_); }
  void unlock() noexcept { ::pthread_mutex_unlock(&mutex_); }

private:
  ::pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

#ifdef CONCH_BENCH_ABSL
class absl_mutex {
public:
  void lock() CONCH_NO_THREAD_SAFETY_ANALYSIS { mutex_.Lock(); }
  void unlock() CONCH_NO_THREAD_SAFETY_ANALYSIS { mutex_.Unlock(); }

private:
  absl::Mutex mutex_;
};
#else
struct absl_mutex : missing_lock {
  static constexpr auto reason = "libabsl-dev is not installed";
};
#endif

#ifdef CONCH_BENCH_TBB
/// The place in the queue, which is to be the caller's, belongs to the thread: a thread here never
/// holds two locks.
class tbb_queuing_mutex {
public:
  void lock() { place().acquire(mutex_); }
  void unlock() { place().release(); }

private:
  static tbb::queuing_mutex::scoped_lock& place() {
    thread_local tbb::queuing_mutex::scoped_lock place;
    return place;
  }

  tbb::queuing_mutex mutex_;
};
#else
struct tbb_queuing_mutex : missing_lock {
  static constexpr auto reason = "libtbb-dev is not installed";
};
#endif

#ifdef CONCH_BENCH_NSYNC
class nsync_mutex {
public:
  nsync_mutex() { nsync::nsync_mu_init(&mutex_); }

  void lock() { nsync::nsync_mu_lock(&mutex_); }
  void unlock() { nsync::nsync_mu_unlock(&mutex_); }

private:
  nsync::nsync_mu mutex_;
};
#else
struct nsync_mutex : missing_lock {
  static constexpr auto reason = "libnsync-dev is not installed";
};
#endif

#ifdef CONCH_BENCH_PARKING_LOT
extern "C" {
void conch_parking_lot_lock(std::uint8_t* mutex);
void conch_parking_lot_unlock(std::uint8_t* mutex);
void conch_parking_lot_fair_lock(std::uint8_t* mutex);
void conch_parking_lot_fair_unlock(std::uint8_t* mutex);
}

class parking_lot_mutex {
public:
  void lock() { conch_parking_lot_lock(&mutex_); }
  void unlock() { conch_parking_lot_unlock(&mutex_); }

private:
  std::uint8_t mutex_ = 0;
};

class parking_lot_fair_mutex {
public:
  void lock() { conch_parking_lot_fair_lock(&mutex_); }
  void unlock() { conch_parking_lot_fair_unlock(&mutex_); }

private:
  std::uint8_t mutex_ = 0;
};
#else
struct parking_lot_mutex : missing_lock {
  static constexpr auto reason = CONCH_BENCH_NO_PARKING_LOT;
};
using parking_lot_fair_mutex = parking_lot_mutex;
#endif

}  // namespace conch::bench
