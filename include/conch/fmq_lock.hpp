// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/deadline.hpp>
#include <conch/drop_request.hpp>
#include <conch/extremes.hpp>
#include <conch/fmq/config.hpp>
#include <conch/fmq/record.hpp>
#include <conch/fmq/schedule.hpp>
#include <conch/fmq/spinner.hpp>
#include <conch/fmq/tenure.hpp>
#include <conch/fmq/timer_duty.hpp>
#include <conch/fmq/visit.hpp>
#include <conch/fmq/word.hpp>
#include <conch/observer.hpp>
#include <conch/platform/posix.hpp>
#include <conch/thread_safety.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace conch {

/// The feedback multilevel queue lock: threads that use it little get it at once, threads that use
/// it much get equal time, and a lock that nobody else wants costs next to nothing.
///
/// Guarantee   With quantum q, boost age B and boosted slice m (fmq_config), σ the longest time a
///             holder takes from one checkpoint or release to the next, ω the worst lateness of a
///             wake or timer (on purpose, a timer may be late by credit_slack), s for how long a
///             thread spins, and N the most threads that wait at a time:
///             - equal time: of two threads that always want it, neither is charged for more than
///               2(q + σ) more than the other over any window;
///             - no starvation: a wait ends within max(B, 2·N·q) + N·(m + σ + 2ω + s) + 3ω + s,
///               of which fmq/wait_bound.hpp gives the reasons;
///             - a waiter with credit gets it at the holder's next checkpoint, unless the holder
///               is within credit_slack of it, or has got the lock for its age and m is not over;
///               one that sleeps may be woken there, and get it at the next one when it is awake;
///             - uncontended, taking and releasing are one compare-and-swap each.
///             It orders by its own clock and promises nothing about real-time priorities.
/// Algorithm   Each thread has a virtual time: for how long it has held the lock while others
///             wanted it. The lock's clock follows the least of the virtual times of holder and
///             waiters, but for those behind it. Waiters queue in levels, by how far they are
///             ahead of the clock; a thread that comes back from elsewhere is set to at most
///             `credit` behind it, and as long as it is behind, it goes first. The holder is asked
///             to move on before it gets a quantum ahead of the waiter that has had least, or when
///             a waiter has grown too old.
///             Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) as a multilevel
///             feedback queue (Corbató, Merwin-Daggett and Daley, AFIPS 1962).
///             An unlock inside the holder's share frees the lock and wakes the next waiter, the
///             heir; whoever comes first has it, so that a release around a short call costs no
///             switch. Once an heir has lost often enough, the next release is promised to those
///             who wait. Where CPUs are scarce rather than the lock, those that sleep behind the
///             heir look again by themselves once a quantum. A forced switch, a release of a holder
///             that has had its share, and one that was promised pass the lock straight on, to the
///             best of them. To a waiter with credit that spins, a holder that is due only lends
///             the lock: it spins itself until it has it back, and the waiter may come again without
///             queueing. One that sleeps it may wake first, and go on until that one spins.
/// Use it      for one lock that many threads share, some of them busy and some mostly asleep.
/// Do not      for many small locks (it is over a kilobyte), or where threads hold it for long and
///             never reach a checkpoint: no lock can be fair to those who wait for them.
///
/// Can be constinit. A thread's first wait, or its first release, checkpoint or yield while others wait,
/// may allocate its record, and a lock's first contention room for its id; the program ends if there is
/// no memory.
///
/// The parts: fmq/word.hpp says which bits there are and how they change, fmq/schedule.hpp who
/// comes next and when, fmq/tenure.hpp who holds, fmq/timer_duty.hpp who watches the time,
/// fmq/visit.hpp how the lock is lent. Here they are put together.
template <class Platform = posix_platform, class Observer = no_observer>
class CONCH_CAPABILITY("mutex") basic_fmq_lock {  // NOLINT(*Padding): see word_
public:
  using platform = Platform;                         ///< the platform that it is made for
  using time_point = typename Platform::time_point;  ///< of the platform's clock
  using duration = typename Platform::duration;      ///< of the platform's clock
  /// Name and abilities, for code that is written against the concept.
  static constexpr lock_traits traits{.name = "fmq_lock",
                                      .fairness = fairness::time_fair,
                                      .checkpoint_switches = true,
                                      .interruptible = true};

  constexpr basic_fmq_lock() noexcept = default;
  /// Throws std::invalid_argument if a field of `config` is out of its range.
  explicit constexpr basic_fmq_lock(const fmq_config& config) : config_(checked(config)) {}
  basic_fmq_lock(const basic_fmq_lock&) = delete;
  basic_fmq_lock& operator=(const basic_fmq_lock&) = delete;
  /// Precondition: nobody holds the lock or waits for it.
  ~basic_fmq_lock() {
    guard_.lock();  // the last contended unlock may still be inside
    guard_.unlock();
    if (is_locked()) violate("destroyed while held");
    if (waiters() != 0) violate("destroyed while threads wait for it");
    if (id_.generation != 0) fmq::lock_ids<Platform>::give_back(id_);
  }

  /// Blocks until the caller has the lock. Precondition: the caller does not have it.
  void lock() CONCH_ACQUIRE() {
    if (word_.take_if_idle()) [[likely]]
      return took();
    if (!take()) acquire_slow(never, false);
  }

  /// Takes the lock if nobody has it.
  [[nodiscard]] bool try_lock() noexcept CONCH_TRY_ACQUIRE(true) { return take(); }

  /// Blocks for at most `timeout`; not positive is one try. True if the caller has the lock.
  template <class Rep, class Period>
  [[nodiscard]] bool try_lock_for(const std::chrono::duration<Rep, Period>& timeout)
      CONCH_TRY_ACQUIRE(true) {
    return take() || acquire_slow(detail::deadline_after<Platform>(timeout), false) ==
                         acquire_result::acquired;
  }

  /// Blocks until `deadline` of any clock at most; a past one is one try.
  template <class Clock, class Duration>
  [[nodiscard]] bool try_lock_until(const std::chrono::time_point<Clock, Duration>& deadline)
      CONCH_TRY_ACQUIRE(true) {
    return take() || detail::acquire_by<Platform>(deadline, [this](auto d) {
             return acquire_slow(d, false) == acquire_result::acquired;
           });
  }

  /// Blocks until `deadline` at most, or until the thread is interrupted.
  acquire_result lock_interruptible_until(time_point deadline) {
    return take() ? acquire_result::acquired : acquire_slow(deadline, true);
  }

  /// Names the calling thread to interrupt(), for any fmq_lock, while the thread lives.
  static fmq::thread_records<Platform>& interrupt_handle() noexcept {
    return fmq::thread_records<Platform>::current();
  }

  /// Ends the thread's interruptible wait, or its next one if it does not wait now. Any thread;
  /// async-signal-safe where the platform's unpark() is.
  static void interrupt(fmq::thread_records<Platform>& thread) noexcept {
    // Relaxed: ordered by the token, which the wait takes before it looks.
    thread.interrupted.store(true, std::memory_order_relaxed);
    thread.sleeper.unpark().wake();
  }

  /// Lets go. Precondition: the caller has the lock.
  void unlock() CONCH_RELEASE() {
    if (!is_owner()) [[unlikely]]
      return end_visit();
    observer_.on_event(lock_event::released);
    owner_.store(thread_id{}, std::memory_order_relaxed);
    if (!word_.release_if_alone()) [[unlikely]]
      unlock_slow();
  }

  /// Passes the lock on if a waiter has asked and the holder has had its share.
  bool checkpoint() {
    if (detail::checked) forbid_strangers("checkpoint of a thread that does not hold it");
    if (!request_.standing()) [[likely]]
      return false;
    return let_others_in(false);
  }

  /// Passes the lock to the next waiter, if there is one.
  bool yield() { return let_others_in(true); }

  // Snapshots.
  /// Whether a thread has it: a snapshot. Any thread.
  [[nodiscard]] bool is_locked() const noexcept { return word_.is_locked(); }
  /// How many threads wait for it, one that lends it among them: a snapshot. Any thread.
  [[nodiscard]] std::size_t waiters() const noexcept {
    return waiters_.load(std::memory_order_relaxed) + (visit_.is_going_on() ? 1 : 0);
  }
  /// Whether the calling thread has it: not while it lends it to another one, and as soon as it was lent it.
  /// Any thread; async-signal-safe.
  [[nodiscard]] bool held_by_caller() const noexcept {
    // The visit first: a guest that stays is the owner before its visit is over.
    const auto caller = Platform::this_thread();
    return !visit_.is_lent_by(caller) &&
           (visit_.is_lent_to(caller) || is_owner(std::memory_order_acquire));
  }

  /// Where else the drop request is to be seen. Precondition: no other thread uses the lock yet.
  [[nodiscard]] drop_request<Platform>& request() noexcept { return request_; }

  /// As given, with what follows from it.
  [[nodiscard]] const fmq_config& config() const noexcept { return config_; }

  /// The lock and its waiters in words. Takes the internal mutex, allocates. O(waiters).
  [[nodiscard]] std::string describe() {
    enter_guard();
    const std::unique_ptr<mutex, unlocker> guarded(&guard_);
    const auto now = Platform::now();
    const auto owner = owner_.load(std::memory_order_relaxed);
    auto text = std::string(traits.name) + ": " +
                (is_locked() ? "held by thread " + std::to_string(owner) : "free") + ", " +
                std::to_string(schedule_.size()) + " waiting" +
                (request_.standing() ? ", drop request standing" : "");
    schedule_.for_each([&](const auto& waiter, int level) {
      const auto waited = now - time_point(waiter.waiting_since);
      text += "\n  thread " + std::to_string(waiter.owner) + ": level " + std::to_string(level) +
              ", waiting for " + std::to_string(waited.count()) + " ns" +
              (&waiter == heir_ ? ", heir" : "") +
              (timer_.is_kept_by(waiter) ? ", timer duty" : "");
    });
    return text;
  }

  /// In a forked child, before anything else is done with it: as new, held by the caller or free. No
  /// other thread may use it meanwhile.
  void reset_after_fork(bool held) noexcept {
    std::construct_at(&guard_);  // not destroyed first: a thread that is gone may have it
    std::construct_at(&word_);
    std::construct_at(&visit_, request_);
    std::construct_at(&spinner_);
    std::construct_at(&schedule_, config_);
    std::construct_at(&tenure_);
    std::construct_at(&timer_);
    schedule_.start(Platform::now());
    heir_ = nullptr;
    id_ = fmq::lock_id{};  // another thread may have been about to write it
    request_.clear();
    request_.bits().store(0, std::memory_order_relaxed);
    waiters_.store(0, std::memory_order_relaxed);
    owner_.store(thread_id{}, std::memory_order_relaxed);
    if (held) take();
  }

  /// Who is told of what happens; see observer.hpp.
  [[nodiscard]] Observer& observer() noexcept { return observer_; }

private:
  using thread_id = typename Platform::thread_id;
  using mutex = typename Platform::mutex;
  using waker = typename Platform::parker::waker;
  using record = fmq::record<Platform>;
  using queue = fmq::service_queue<Platform>;
  using visit = fmq::visit<Platform>;
  using wait_state = fmq::wait_state;

  static constexpr time_point never = detail::no_deadline<Platform>;

  bool take() noexcept {
    if (!word_.take_if_free()) return false;
    took();
    return true;
  }

  void took() noexcept {
    owner_.store(Platform::this_thread(), std::memory_order_relaxed);
    observer_.on_event(lock_event::acquired);
  }

  /// Whether the caller holds the lock, or lends it: a guest is not the owner unless it stays. Relaxed: whoever
  /// asks has stored its id itself, or has had the lock from before somebody made it the owner; acquire where it
  /// may not know yet that it has it, which pairs with end_visits().
  bool is_owner(std::memory_order order = std::memory_order_relaxed) const noexcept {
    return owner_.load(order) == Platform::this_thread();
  }

  // Acquiring ------------------------------------------------------------------------------------

  acquire_result acquire_slow(time_point deadline, bool interruptible) {
    if (held_by_caller()) violate("locked again by its holder");
    if (deadline != never && is_past(deadline, Platform::now())) return acquire_result::timed_out;
    bool visits = visit_.is_invited(Platform::this_thread());
    if (visits) {
      visits = offer_again();
      if (visits && come_in()) return acquire_result::acquired;
    } else if (may_spin() && spinner_.briefly([this] { return take(); },
                                              [this] { return visit_.is_going_on(); })) {
      return acquire_result::acquired;
    }
    enter_guard();
    if (visits && is_known_holder(own_record())) return claim(own_record(), Platform::now());
    if (word_.take_or_queue()) {
      guard_.unlock();
      took();
      return acquire_result::acquired;
    }
    observer_.on_event(lock_event::wait_started);
    auto& self = own_record();
    const auto now = Platform::now();
    join(self, now);
    return wait(self, now, deadline, interruptible, visits);
  }

  // From here to the next line of this kind: with guard_ held, unless said otherwise.

  void join(record& self, time_point now) noexcept {
    if (schedule_.empty() && tenure_.holder() == nullptr)
      schedule_.open(now);
    else
      charge_known_holder(now);
    schedule_.admit(self, now);
    begin_wait(self);
  }

  void begin_wait(record& self) noexcept {
    self.state.store(wait_state::waiting, std::memory_order_relaxed);
    self.lost_tries = 0;
    waiters_.store(schedule_.size(), std::memory_order_relaxed);
  }

  void end_wait(record& waiter) noexcept {
    schedule_.remove(waiter);
    timer_.give_up(waiter);
    waiters_.store(schedule_.size(), std::memory_order_relaxed);
  }

  /// Waits from `now` until the caller, which queues, has the lock or gives up. Lets go of guard_; then
  /// wakes `next`, to whom it has given the lock, and takes over its seat if it spins. One that has spun
  /// goes to sleep.
  acquire_result wait(record& self, time_point now, time_point deadline, bool interruptible,
                      bool has_spun = false, waker next = {}, thread_id relieved = {}) {
    for (;; now = Platform::now()) {
      if (self.state.load(std::memory_order_relaxed) == wait_state::granted)
        return claim(self, now);
      if (heir_ == &self && take_or_rest(self, now)) return claim(self, now);
      const bool expired = is_past(deadline, now);
      if (expired || (interruptible && is_interrupted(self)))
        return take_or_leave(self, now, expired);
      const bool looks = is_soon_free();
      if (looks && word_.take_if_free()) return claim(self, now);
      const auto alarm = alarm_time(now);
      timer_.give_up(self);
      const bool spins = queue::is_express(self) && may_spin() && !std::exchange(has_spun, false) &&
                         spinner_.sit_down(std::exchange(relieved, {}));
      if (spins && queue::has_credit(self) && is_next(self, now, alarm)) {
        const auto state = self.state.load(std::memory_order_relaxed);
        invite(self, now);
        std::exchange(next, waker()).wake();
        if (come_in()) return acquire_result::acquired;
        enter_guard();
        if (is_known_holder(self) || word_.take_or_queue()) return claim(self, Platform::now());
        has_spun = true;
        rejoin(self, state);
        continue;
      }
      keep_time(self, now, alarm);
      const auto look_at = looks ? detail::least_of(deadline, now + config_.quantum) : deadline;
      const auto wake_at =
          timer_.is_kept_by(self) ? detail::least_of(look_at, timer_.alarm()) : look_at;
      const bool barges = heir_ != nullptr;  // the lock is free for anybody again and again
      settle_request(now, alarm);  // last, so that a holder that sees it finds guard_ free
      guard_.unlock();
      std::exchange(next, waker()).wake();
      auto found = spins ? spin(self, barges) : sighting::nothing;
      if (found == sighting::nothing) found = sleep(self, wake_at);
      if (found != sighting::guard && found != sighting::lock_and_guard) guard_.lock();
      end_visits();
      if (found == sighting::lock || found == sighting::lock_and_guard)
        return claim(self, Platform::now());
    }
  }

  /// Whether the lock passes among those who come by, and each keeps it for a moment: threads sleep for it
  /// because CPUs are scarce, and an heir may wait long for one. Those behind it need not wait for that:
  /// each looks again by itself after a quantum. False while a handoff is on its way, whose holder is known:
  /// so who has handed over does not go before it has woken that one.
  bool is_soon_free() const noexcept {
    return may_spin() && spinner_.is_promising() && tenure_.holder() == nullptr;
  }

  /// What a waiter has come by.
  enum class sighting : unsigned char { nothing, guard, lock, lock_and_guard };

  /// Without guard_, in the seat. A waiter that has reason to expect the lock soon looks for it for a
  /// while, and then for guard_, which whoever gave it the lock may still have. One that `barges` takes a
  /// free lock ahead of the heir, as threads that come by do. The clock is read here: whoever has passed the
  /// lock on may have spent longer than that on the wake.
  sighting spin(record& self, bool barges) noexcept {
    const auto until = Platform::now() + config_.spin;
    auto found = sighting::nothing;
    spinner_.watch(until, [&] {
      const auto state = self.state.load(std::memory_order_relaxed);
      if (found == sighting::nothing && (barges || state == wait_state::heir) &&
          word_.take_if_free())
        found = sighting::lock;
      if ((found == sighting::nothing && state != wait_state::granted) || !guard_.try_lock())
        return false;
      found = found == sighting::lock ? sighting::lock_and_guard : sighting::guard;
      return true;
    });
    spinner_.get_up();
    return found;
  }

  /// Without guard_. Sleeps, and spins if it was woken as the heir.
  sighting sleep(record& self, time_point wake_at) noexcept {
    if (wake_at == never)
      self.thread->sleeper.park();
    else
      self.thread->sleeper.park_until(wake_at);
    return self.state.load(std::memory_order_relaxed) == wait_state::heir && may_spin() &&
                   spinner_.sit_down()
               ? spin(self, false)
               : sighting::nothing;
  }

  /// The heir has woken. True if it has the lock; else it rests, and has lost one more try.
  bool take_or_rest(record& self, time_point now) noexcept {
    const unsigned tries = self.lost_tries + 1;
    if (tries == 1) self.first_lost = now;
    const bool seal =
        tries >= config_.seal_tries || now - time_point(self.first_lost) >= config_.seal_after;
    if (word_.take_or_rest(seal)) return true;
    observer_.on_event(lock_event::stolen);
    self.lost_tries = tries;
    self.state.store(wait_state::waiting, std::memory_order_relaxed);
    heir_ = nullptr;
    return false;
  }

  /// The caller gives up, unless the lock is free: then it takes it. Lets go of guard_.
  acquire_result take_or_leave(record& self, time_point now, bool expired) noexcept {
    charge_known_holder(now);  // which the lock may not know any more once nobody queues
    const bool last = schedule_.size() == 1;
    if (word_.take_or_leave(last)) return claim(self, now);
    if (!expired) self.thread->interrupted.store(false, std::memory_order_relaxed);
    end_wait(self);
    self.state.store(wait_state::outside, std::memory_order_relaxed);
    if (last && !tenure_.is_on_its_way()) tenure_.forget();
    observer_.on_event(lock_event::wait_abandoned);
    leave_guard(now);
    return expired ? acquire_result::timed_out : acquire_result::interrupted;
  }

  /// The caller has the lock: by a grant, or because it has taken it while it queued. Lets go of
  /// guard_.
  acquire_result claim(record& self, time_point now) noexcept {
    // Whoever cut its turn short will be back: it stays known until then, if it comes as the heir.
    const bool had_turn = schedule_.has_turn(self);
    if (self.place != record::unqueued) end_wait(self);
    if (heir_ == &self) heir_ = nullptr;
    self.state.store(wait_state::outside, std::memory_order_relaxed);
    const bool looks_further = !schedule_.empty() || had_turn;
    word_.hold(looks_further, heir_ != nullptr, word_.is_sealed());
    const bool is_known = looks_further && heir_ == nullptr;
    tenure_.begin(is_known ? &self : nullptr, now, config_.boost_slice);
    schedule_.start(now);  // the time that its wake-up took is nobody's debt
    took();
    leave_guard(now);
    return acquire_result::acquired;
  }

  // Releasing ------------------------------------------------------------------------------------

  /// Without guard_, by the holder, when somebody waits.
  void unlock_slow() {
    if (word_.release_to_heir()) return;
    enter_guard();
    const waker next = release(Platform::now());
    guard_.unlock();
    next.wake();
  }

  waker release(time_point now) noexcept {
    if (schedule_.empty()) {
      tenure_.forget();
      word_.release();
      return {};
    }
    const auto& self = charge_caller(now);
    if (word_.is_sealed() || schedule_.has_had_share(self, now))
      return grant(schedule_.best(now), now);
    return set_free(now);
  }

  /// Lets go of the lock for anybody to take, the heir above all.
  waker set_free(time_point now) noexcept {
    tenure_.forget();
    request_.clear();
    waker next;
    if (heir_ == nullptr) {
      observer_.on_event(lock_event::heir_named);
      heir_ = &schedule_.best_heir(now);
      next = notify(*heir_, wait_state::heir);
    }
    word_.release_for_heir();
    return next;
  }

  /// Gives the lock, which the caller holds, to a waiter.
  waker grant(record& next, time_point now) noexcept {
    observer_.on_event(lock_event::handoff);
    if (heir_ != nullptr) heir_->state.store(wait_state::waiting, std::memory_order_relaxed);
    heir_ = nullptr;
    tenure_.grant(next, schedule_.is_aged(next, now));
    end_wait(next);
    request_.clear();
    word_.hold(!schedule_.empty(), false, false);
    return notify(next, wait_state::granted);
  }

  /// The token first: a thread that sees its new state then need not sleep for it. The thread
  /// cannot go on before it gets guard_, and so its record is safe until then.
  waker notify(record& waiter, wait_state state) noexcept {
    const waker sleeper = waiter.thread->sleeper.unpark();
    waiter.state.store(state, std::memory_order_relaxed);
    return sleeper;
  }

  /// Without guard_, at a checkpoint or yield of the holder.
  bool let_others_in(bool must) {
    if (visit_.is_offered_to(Platform::this_thread()) && lend()) return true;
    forbid_strangers("checkpoint or yield of a thread that does not hold it");
    enter_guard();
    if (schedule_.empty()) {
      request_.clear();
      guard_.unlock();
      return false;
    }
    const auto now = Platform::now();
    auto& self = charge_caller(now);
    if (!must && detail::most_of(schedule_.due_at(self, now), tenure_.protected_until()) > now) {
      stay(self, now);
      return false;
    }
    auto& heir = schedule_.best(now);
    if (!must && can_come(heir, now)) {
      call(heir);
      return false;
    }
    observer_.on_event(lock_event::forced_switch);
    owner_.store(thread_id{}, std::memory_order_relaxed);
    const auto heirs_id = heir.owner;  // the heir may have gone on, and away, when it is used
    const bool cut_short = !must && queue::has_credit(heir);
    const waker next = grant(heir, now);
    if (cut_short)
      schedule_.readmit_for_turn(self, now);
    else
      schedule_.readmit(self, now);
    begin_wait(self);
    word_.hold(true, false, false);
    wait(self, now, never, false, false, next, heirs_id);
    return true;
  }

  /// The holder was asked, and is inside its share: it sees to it that somebody watches the time, and
  /// wakes a waiter if it must. Lets go of guard_.
  void stay(record& self, time_point now) noexcept {
    if (heir_ == nullptr) tenure_.identify(self);
    const auto alarm = alarm_time(now);
    settle_request(now, alarm);
    waker keeper;
    if (needs_alarm(now, alarm)) {
      observer_.on_event(lock_event::alarm_passed);
      keeper = timer_.pass_to(schedule_.last(), alarm);
    }
    guard_.unlock();
    keeper.wake();
  }

  // Visits, see fmq/visit.hpp ---------------------------------------------------------------------

  /// Whether the best waiter sleeps and could be lent the lock if it were awake: it has credit, and this
  /// holder has lent the lock before, so that it comes by often enough for one that spins. One that
  /// has been called in vain is given the lock, and so is one that has grown old. Such a holder is known,
  /// and so no heir is on its way.
  bool can_come(const record& best, time_point now) const noexcept {
    return queue::has_credit(best) && tenure_.has_lent() && spinner_.is_free() &&
           best.state.load(std::memory_order_relaxed) == wait_state::waiting &&
           !schedule_.is_aged(best, now);
  }

  /// By the holder, which is due: wakes the best waiter, which then asks for a visit, and keeps the lock
  /// in use until then. Nobody need ask meanwhile: all would ask for that one, which looks after the time
  /// too when it comes, if nobody does. Lets go of guard_.
  void call(record& best) noexcept {
    observer_.on_event(lock_event::called);
    request_.clear();
    const waker sleeper = notify(best, wait_state::called);
    guard_.unlock();
    sleeper.wake();
  }

  /// Whether the caller, who waits, is the one to whom a known holder is due.
  bool is_next(const record& self, time_point now, time_point alarm) noexcept {
    return alarm <= now && tenure_.holder() != nullptr && &schedule_.best(now) == &self;
  }

  /// By the best waiter, which is in the seat: it leaves the queue and asks the holder to be lent the lock. It
  /// may come again until somebody must look after the holder's time or its own. Lets go of guard_.
  void invite(record& self, time_point now) noexcept {
    const auto& host = *tenure_.holder();
    end_wait(self);
    self.state.store(wait_state::outside, std::memory_order_relaxed);
    const auto alarm = alarm_time(now);
    self.visits_until = alarm > now && !needs_alarm(now, alarm) ? alarm : now;
    self.came_at.store(never, std::memory_order_relaxed);
    schedule_.invite(self, host);
    tenure_.invite(self);
    if (visit_.offer(host.owner, self.owner)) observer_.on_event(lock_event::drop_requested);
    guard_.unlock();
    spinner_.get_up();
  }

  /// Without guard_. False if the caller may not come again, or another one spins.
  bool offer_again() noexcept {
    auto& self = own_record();
    if (duration(self.visits_left) <= duration::zero() || !spinner_.sit_down()) return false;
    self.came_at.store(never, std::memory_order_relaxed);
    const bool is_offered = visit_.offer_again(self.owner);
    spinner_.get_up();
    if (is_offered) observer_.on_event(lock_event::drop_requested);
    return is_offered;
  }

  /// Without guard_, by a guest that has offered. True if it has been lent the lock: it pays from now on. Else
  /// it looks under guard_ whether it has become the holder before it noticed. Relaxed: if it stays, whoever makes
  /// it the holder makes its host pay for what it does not see.
  bool come_in() noexcept {
    auto now = Platform::now();
    const auto until = now + config_.spin;
    for (; visit_.is_offered() && now < until; now = Platform::now()) Platform::relax();
    if (visit_.withdraw() || !visit_.is_lent_to(Platform::this_thread())) return false;
    own_record().came_at.store(now, std::memory_order_relaxed);
    observer_.on_event(lock_event::acquired);
    return true;
  }

  /// The caller has offered in vain, and goes on waiting.
  void rejoin(record& self, wait_state state) noexcept {
    const time_point since = self.waiting_since;
    join(self, Platform::now());
    self.waiting_since = since;
    self.state.store(state, std::memory_order_relaxed);
  }

  /// Without guard_, by the holder, to whom a visit was offered. Returns when the caller holds the lock
  /// again; false if the offer is gone. It stays the owner meanwhile, and changes nothing but the visit,
  /// so that what the guest works with stays in the cache of the guest's CPU.
  bool lend() {
    if (!visit_.lend()) return false;
    observer_.on_event(lock_event::lent);
    auto& self = own_record();
    const auto lent_at = Platform::now();
    spinner_.watch(lent_at + config_.spin, [&] { return !visit_.is_under_way(); });
    if (!visit_.is_back_with(self.owner)) {
      enter_guard();
      if (!is_outside(self)) {
        wait(self, Platform::now(), never, false, true);
        return true;
      }
      guard_.unlock();
    }
    // Not zero, so that it is seen that it has lent the lock; and no more than it would wait: what has kept
    // it from running for longer was no visit.
    const auto lent_for = detail::most_of(Platform::now() - lent_at, duration(1));
    self.lent_for.store(self.lent_for.load(std::memory_order_relaxed) +
                            detail::least_of<duration>(lent_for, config_.spin),
                        std::memory_order_relaxed);
    observer_.on_event(lock_event::acquired);
    return true;
  }

  /// Without guard_, by a guest that releases the lock. It looks at the clock after that, since its host waits.
  void end_visit() {
    if (!visit_.is_lent_to(Platform::this_thread()) && !is_owner(std::memory_order_acquire))
      violate(is_locked() ? "unlocked by a thread that does not hold it" : "unlocked while free");
    observer_.on_event(lock_event::released);
    auto& self = own_record();
    const auto came_at = self.came_at.load(std::memory_order_relaxed);
    const bool looks = came_at >= time_point(self.visits_until);
    if (looks) guard_.lock();
    if (visit_.give_back()) {  // and the lock may be gone, without guard_
      const auto now = Platform::now();
      fmq::schedule<Platform>::charge_guest(self, now - came_at);
      if (!looks) return;
      end_visits();
      return leave_guard(now);
    }
    if (!looks) guard_.lock();
    end_visits();
    owner_.store(thread_id{}, std::memory_order_relaxed);
    const waker next = release(Platform::now());
    guard_.unlock();
    next.wake();
  }

  void enter_guard() noexcept {
    guard_.lock();
    end_visits();
  }

  /// With guard_ just taken: the guest may not come again, and if it is there, it becomes the holder, and
  /// its host waits.
  void end_visits() noexcept {
    const auto found = visit_.end();
    if (found == visit::found::nobody) return;
    auto& host = *tenure_.holder();
    if (schedule_.excuse(host)) tenure_.note_visit();
    if (found != visit::found::guest) return;
    auto& guest = tenure_.guest();
    const auto now = Platform::now();
    const auto came_at = guest.came_at.load(std::memory_order_relaxed);  // see come_in()
    schedule_.charge_host(host, detail::least_of(came_at, now));
    owner_.store(guest.owner, std::memory_order_release);  // see is_owner()
    visit_.settle();
    tenure_.begin(&guest, now, config_.boost_slice);
    schedule_.readmit_for_turn(host, now);
    begin_wait(host);
  }

  bool is_known_holder(const record& self) const noexcept { return tenure_.holder() == &self; }

  // Watching the holder --------------------------------------------------------------------------

  record& own_record() noexcept {
    if (id_.generation == 0) id_ = fmq::lock_ids<Platform>::take();
    return fmq::thread_records<Platform>::current().of(id_);
  }

  /// Charges the caller, which holds the lock.
  record& charge_caller(time_point now) noexcept {
    if (auto* const known = tenure_.holder(); known != nullptr) {
      schedule_.charge(*known, now);
      return *known;
    }
    auto& self = own_record();
    schedule_.charge_found(self, now);
    return self;
  }

  void charge_known_holder(time_point now) noexcept {
    if (tenure_.holder() != nullptr && !tenure_.is_on_its_way())
      schedule_.charge(*tenure_.holder(), now);
  }

  /// When the holder must be asked to move on, as far as is known: at once if nobody knows who it
  /// is, and never if nobody waits. Not either if an heir is awake, which will see to it that the
  /// holder, whoever it is, does not stay for ever.
  time_point alarm_time(time_point now) noexcept {
    if (schedule_.empty()) return never;
    const auto* holder = tenure_.holder();
    if (holder == nullptr) return heir_ != nullptr ? never : now;
    const auto since = tenure_.is_on_its_way() ? now : schedule_.settled_at();
    const auto at = detail::most_of(schedule_.due_at(*holder, since), tenure_.protected_until());
    // Nobody need look while a grant is on its way: its claim does. Nor may a visit be offered to a holder
    // that has not noticed, which may have hosted one and still look for its end.
    return tenure_.is_on_its_way() && at <= now ? now + config_.quantum : at;
  }

  /// The drop request stands if the holder is due. While a grant is on its way it need not: its claim
  /// looks again.
  void settle_request(time_point now, time_point alarm) noexcept {
    if (alarm <= now)
      raise_request();
    else
      request_.clear();
  }

  void raise_request() noexcept {
    if (request_.raise()) observer_.on_event(lock_event::drop_requested);
  }

  /// Whether somebody must watch the time: the holder is not due yet, and will not be asked in time.
  bool needs_alarm(time_point now, time_point alarm) const noexcept {
    return is_ahead(now, alarm) && timer_.is_late_for(alarm, schedule_.tolerance());
  }

  static bool is_ahead(time_point now, time_point alarm) noexcept {
    return alarm != never && alarm > now;
  }

  /// The caller, about to sleep, takes the timer duty if nobody has it, or whoever does will be late or
  /// comes next: that one would soon leave it, and somebody would have to be woken for it.
  /// It does so too when the holder is asked already: should it turn out to be at the beginning of its
  /// share, it need wake nobody.
  void keep_time(record& self, time_point now, time_point alarm) noexcept {
    if (needs_alarm(now, alarm) || (is_ahead(now, alarm) && timer_.is_kept_by(schedule_.best(now))))
      timer_.take(self, alarm);
    else if (!timer_.is_kept())
      timer_.take(self, now + schedule_.lead());
  }

  /// Lets go of guard_ by a thread that is not going to wait. If nobody watches the time, the holder
  /// is asked: it looks after that at its next checkpoint, unless it lets go before.
  void leave_guard(time_point now) noexcept {
    const auto alarm = alarm_time(now);
    settle_request(now, needs_alarm(now, alarm) ? now : alarm);
    guard_.unlock();
  }

  // ----------------------------------------------------------------------------------------------

  static bool is_past(time_point deadline, time_point now) noexcept {
    return now >= deadline && deadline != never;
  }

  /// By the record's own thread, or with guard_.
  static bool is_outside(const record& r) noexcept {
    return r.state.load(std::memory_order_relaxed) == wait_state::outside;
  }

  bool may_spin() const noexcept { return config_.spin > duration::zero(); }

  static bool is_interrupted(const record& self) noexcept {
    return self.thread->interrupted.load(std::memory_order_relaxed);  // see interrupt()
  }

  void forbid_strangers(const char* rule) const {
    if (!held_by_caller()) violate(rule);
  }

  [[noreturn]] void violate(const char* rule) const {
    violate_contract<Platform>(traits.name, rule, this);
  }

  struct unlocker {
    void operator()(mutex* held) const noexcept { held->unlock(); }
  };

  // Each on a line of the cache of its own: what changes when the lock changes hands; what holder and
  // waiters tell each other; what nobody changes; what is for those who wait.
  fmq::word<Platform> word_;
  typename Platform::template atomic<thread_id> owner_{};

  alignas(64) drop_request<Platform> request_;
  visit visit_{request_};

  alignas(64) fmq_config config_{};

  alignas(64) fmq::spinner<Platform> spinner_;
  mutex guard_;  // guards all that follows; slow paths alone take it
  typename Platform::template atomic<std::size_t> waiters_{0};  // schedule_'s, for snapshots
  fmq::schedule<Platform> schedule_{config_};
  fmq::tenure<Platform> tenure_;
  fmq::timer_duty<Platform> timer_;
  typename Platform::template plain<record*> heir_{nullptr};  // the word's waking bit is about it
  fmq::lock_id id_;
  [[no_unique_address]] Observer observer_;
};

using fmq_lock = basic_fmq_lock<>;
static_assert(owned_lock<fmq_lock> && interruptible_lock<fmq_lock>);

}  // namespace conch
