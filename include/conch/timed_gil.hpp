// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/deadline.hpp>
#include <conch/drop_request.hpp>
#include <conch/extremes.hpp>
#include <conch/observer.hpp>
#include <conch/platform/posix.hpp>
#include <conch/thread_safety.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace conch {

/// The GIL of CPython 3.2 to 3.13: waiters ask the holder to let go after a wait of 5 ms.
///
/// Guarantee   Exclusion. The holder is asked to move on once a waiter has seen no switch for a
///             whole interval; which waiter comes next is the system's choice. A thread that lets
///             go around each I/O call waits an interval or two each time that it comes back beside
///             a CPU-bound one: the convoy.
/// Algorithm   A flag under a mutex and a condition. A waiter sleeps for the switch interval; if it
///             times out with no switch since, it raises the drop request, at which the holder lets
///             go at its next checkpoint. With forced switching, a release at which the request
///             stands does not return until another thread has taken the lock.
///             CPython 3.11, Python/ceval_gil.h (take_gil, drop_gil).
/// Cured       A waiter that gives up withdraws its own request (CPython's gh-96387): requesters
///             are counted, and a request cannot outlive the last of them. It gives up only while
///             another thread holds the lock, so that no releaser is left to wait for it.
/// Use it      to compare, and to see the convoy.
/// Do not      where threads that do I/O share the lock with CPU-bound ones.
///
/// Can be constinit, with glibc from 2.30 on.
template <class Platform = posix_platform, class Observer = no_observer>
class CONCH_CAPABILITY("mutex") basic_timed_gil {
public:
  using platform = Platform;                         ///< the platform that it is made for
  using time_point = typename Platform::time_point;  ///< of the platform's clock
  using duration = typename Platform::duration;      ///< of the platform's clock
  /// Name and abilities, for code that is written against the concept.
  static constexpr lock_traits traits{
      .name = "timed_gil", .fairness = fairness::none, .checkpoint_switches = true};
  /// As CPython 3 has it.
  static constexpr duration default_switch_interval = std::chrono::milliseconds(5);

  constexpr basic_timed_gil() noexcept = default;
  /// Throws std::invalid_argument unless switch_interval is positive.
  explicit constexpr basic_timed_gil(duration switch_interval)
      : interval_(checked(switch_interval).count()) {}
  basic_timed_gil(const basic_timed_gil&) = delete;
  basic_timed_gil& operator=(const basic_timed_gil&) = delete;
  /// Precondition: nobody holds the lock or waits for it.
  ~basic_timed_gil() {
    if (is_locked()) violate_contract<Platform>(traits.name, "destroyed while held", this);
    switch_mutex_.lock();  // a releaser may still be on its way out of a forced switch
    while (releasers_ != 0) switched_.wait(switch_mutex_);
    switch_mutex_.unlock();
  }

  /// Blocks until the caller has the lock. Precondition: the caller does not have it.
  void lock() CONCH_ACQUIRE() { acquire_until(detail::no_deadline<Platform>); }

  /// Takes the lock if nobody has it.
  [[nodiscard]] bool try_lock() noexcept CONCH_TRY_ACQUIRE(true) {
    mutex_.lock();
    const bool free = !is_locked();
    if (free) take();
    mutex_.unlock();
    return free;
  }

  /// Blocks for at most `timeout`; not positive is one try. True if the caller has the lock.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout)
      CONCH_TRY_ACQUIRE(true) {
    return acquire_until(detail::deadline_after<Platform>(timeout));
  }

  /// Blocks until `deadline` of any clock at most; a past one is one try.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline)
      CONCH_TRY_ACQUIRE(true) {
    return detail::acquire_by<Platform>(deadline, [this](auto d) { return acquire_until(d); });
  }

  /// Lets go; if somebody has asked and switching is forced, returns when another thread has taken
  /// the lock. Precondition: the caller has it.
  void unlock() CONCH_RELEASE() {
    forbid_strangers(is_locked() ? "unlocked by a thread that does not hold it"
                                 : "unlocked while free");
    observer_.on_event(lock_event::released);
    drop(request_.standing());
  }

  /// Lets go and takes the lock again if a waiter has asked. True if another thread had it.
  bool checkpoint() {
    if (detail::checked) forbid_strangers("checkpoint of a thread that does not hold it");
    if (!request_.standing()) [[likely]]
      return false;
    return switch_over();
  }

  /// As a checkpoint at which a request stands.
  bool yield() {
    forbid_strangers("yield of a thread that does not hold it");
    return switch_over();
  }

  /// For how long a waiter waits before it asks.
  [[nodiscard]] duration switch_interval() const noexcept {
    return duration(interval_.load(std::memory_order_relaxed));  // a number: orders nothing
  }
  /// For the intervals that waiters begin from now on. Throws std::invalid_argument unless it is positive.
  void set_switch_interval(duration interval) {
    interval_.store(checked(interval).count(), std::memory_order_relaxed);
  }

  /// Whether who lets go because it was asked waits until another has had the lock.
  [[nodiscard]] bool forced_switching() const noexcept {
    return forced_.load(std::memory_order_relaxed);
  }
  /// Whether a release waits for the switch that it was asked for; on by default.
  void set_forced_switching(bool on) noexcept { forced_.store(on, std::memory_order_relaxed); }

  /// How often the lock went to a thread other than its last holder.
  [[nodiscard]] std::uint64_t switch_number() const noexcept {
    return switch_number_.load(std::memory_order_relaxed);
  }

  /// Where else the drop request is to be seen. Precondition: no other thread uses the lock yet.
  [[nodiscard]] drop_request<Platform>& request() noexcept { return request_; }

  // Relaxed, here and in all that follows: all of these are written under mutex_ alone, which
  // orders them; a reader without it gets a snapshot.
  /// Whether a thread has it: a snapshot. Any thread.
  [[nodiscard]] bool is_locked() const noexcept { return locked_.load(std::memory_order_relaxed); }
  /// How many threads wait for it: a snapshot. Any thread.
  [[nodiscard]] std::size_t waiters() const noexcept {
    return waiters_.load(std::memory_order_relaxed);
  }
  /// Only the caller itself can have stored its own id.
  [[nodiscard]] bool held_by_caller() const noexcept {
    return owner_.load(std::memory_order_relaxed) == Platform::this_thread();
  }

  /// The lock in words: a snapshot. Allocates.
  [[nodiscard]] std::string describe() const {
    return std::string(traits.name) + ": " +
           (is_locked() ? "held by thread " + std::to_string(owner_.load(std::memory_order_relaxed))
                        : "free") +
           ", " + std::to_string(waiters()) + " waiting" +
           (request_.standing() ? ", drop request standing" : "") + ", switch number " +
           std::to_string(switch_number());
  }

  /// In a forked child, before anything else is done with it: as new, held by the caller or free. No
  /// other thread may use it meanwhile.
  void reset_after_fork(bool held) noexcept {
    std::construct_at(&mutex_);  // not destroyed first: threads that are gone may wait in them
    std::construct_at(&released_);
    std::construct_at(&switch_mutex_);
    std::construct_at(&switched_);
    request_.clear();
    requesters_ = 0;
    waiters_.store(0, std::memory_order_relaxed);
    locked_.store(held, std::memory_order_relaxed);
    owner_.store(held ? Platform::this_thread() : thread_id{}, std::memory_order_relaxed);
    last_holder_ = Platform::this_thread();
    releasers_ = 0;
  }

  /// Who is told of what happens; see observer.hpp.
  [[nodiscard]] Observer& observer() noexcept { return observer_; }

private:
  using thread_id = typename Platform::thread_id;

  static constexpr duration checked(duration interval) {
    if (interval <= duration::zero())
      detail::reject("timed_gil: switch_interval is " + std::to_string(interval.count()) +
                     " ns; it must be positive");
    return interval;
  }

  void forbid_strangers(const char* rule) const {
    if (!held_by_caller()) violate_contract<Platform>(traits.name, rule, this);
  }

  bool acquire_until(time_point deadline) {
    if (held_by_caller())
      violate_contract<Platform>(traits.name, "locked again by its holder", this);
    mutex_.lock();
    if (is_locked()) wait_until(deadline);
    const bool free = !is_locked();
    if (free) take();
    mutex_.unlock();
    return free;
  }

  /// Returns with mutex_ held, as it is called, when the lock is free or the deadline has come.
  void wait_until(time_point deadline) noexcept {
    observer_.on_event(lock_event::wait_started);
    waiters_.fetch_add(1, std::memory_order_relaxed);
    std::uint64_t asked_in = 0;  // the tenure for which this thread is counted as a requester
    watch seen = begin_watch();
    while (is_locked()) {
      released_.wait_until(mutex_, detail::least_of(deadline, seen.end));
      if (!is_locked()) break;
      const auto now = Platform::now();
      if (now >= deadline) {
        withdraw(asked_in);
        observer_.on_event(lock_event::wait_abandoned);
        break;
      }
      const bool over = now >= seen.end;
      if (over && switch_number() == seen.switch_number) ask(asked_in);
      if (!over && tenure_ == seen.tenure) continue;  // woken for no reason
      if (!over) observer_.on_event(lock_event::vain_wakeup);
      seen = begin_watch();
    }
    waiters_.fetch_sub(1, std::memory_order_relaxed);
  }

  /// What a waiter saw when it began to wait for a switch.
  struct watch {
    time_point end;
    std::uint64_t switch_number;
    std::uint64_t tenure;
  };

  watch begin_watch() const noexcept {
    const auto now = Platform::now();
    const auto longest = detail::no_deadline<Platform> - now;
    return {now + detail::least_of(switch_interval(), longest), switch_number(), tenure_};
  }

  void ask(std::uint64_t& asked_in) noexcept {
    if (asked_in == tenure_) return;
    asked_in = tenure_;
    requesters_ = requesters_ + 1;
    if (request_.raise()) observer_.on_event(lock_event::drop_requested);
  }

  void withdraw(std::uint64_t asked_in) noexcept {
    if (asked_in != tenure_) return;
    requesters_ = requesters_ - 1;
    if (requesters_ == 0) request_.clear();
  }

  void take() noexcept {
    const auto self = Platform::this_thread();
    switch_mutex_.lock();
    locked_.store(true, std::memory_order_relaxed);
    owner_.store(self, std::memory_order_relaxed);
    if (last_holder_ != self) {
      last_holder_ = self;
      switch_number_.fetch_add(1, std::memory_order_relaxed);
      switched_.notify_all();
    }
    switch_mutex_.unlock();
    end_requests();
    observer_.on_event(lock_event::acquired);
  }

  void end_requests() noexcept {
    tenure_ = tenure_ + 1;
    requesters_ = 0;
    request_.clear();
  }

  void drop(bool asked) noexcept {
    const auto self = Platform::this_thread();
    mutex_.lock();
    // One who waits takes the lock, even at its deadline: it is free until somebody does.
    const bool must_switch = asked && forced_switching() && waiters() != 0;
    if (must_switch) {
      end_requests();
      switch_mutex_.lock();
      releasers_ = releasers_ + 1;
      switch_mutex_.unlock();
    }
    owner_.store(thread_id{}, std::memory_order_relaxed);
    locked_.store(false, std::memory_order_relaxed);
    released_.notify_one();
    mutex_.unlock();
    if (must_switch) await_switch(self);
  }

  void await_switch(thread_id self) noexcept {
    switch_mutex_.lock();
    while (last_holder_ == self) switched_.wait(switch_mutex_);
    releasers_ = releasers_ - 1;
    switched_.notify_all();  // the destructor may wait for this
    switch_mutex_.unlock();
  }

  bool switch_over() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (waiters() != 0) observer_.on_event(lock_event::forced_switch);
    const auto before = switch_number();
    drop(true);
    acquire_until(detail::no_deadline<Platform>);
    return switch_number() != before;
  }

  typename Platform::mutex mutex_;
  typename Platform::condition released_;
  typename Platform::template atomic<bool> locked_{false};
  typename Platform::template atomic<thread_id> owner_{};
  drop_request<Platform> request_;
  typename Platform::template plain<std::size_t> requesters_{0};  // of this tenure
  typename Platform::template plain<std::uint64_t> tenure_{1};    // counts takes and forced drops
  typename Platform::template atomic<std::size_t> waiters_{0};
  typename Platform::template atomic<std::uint64_t> switch_number_{0};
  typename Platform::mutex switch_mutex_;  // taken after mutex_, never before it
  typename Platform::condition switched_;
  // Both guarded by switch_mutex_.
  typename Platform::template plain<thread_id> last_holder_{};
  typename Platform::template plain<std::size_t> releasers_{0};  // inside a forced switch
  typename Platform::template atomic<typename duration::rep> interval_{
      default_switch_interval.count()};
  typename Platform::template atomic<bool> forced_{true};
  [[no_unique_address]] Observer observer_;
};

using timed_gil = basic_timed_gil<>;
static_assert(owned_lock<timed_gil>);

}  // namespace conch
