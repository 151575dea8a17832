// SPDX-License-Identifier: MIT
#pragma once

#if !defined(__cpp_exceptions)
#error "conch::runtime throws at checkpoints: it needs exceptions. The locks do not."
#endif

#include <conch/breaker.hpp>
#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/platform/posix_process.hpp>
#include <conch/runtime/arrived_signals.hpp>
#include <conch/runtime/interruption.hpp>
#include <conch/runtime/pending_calls.hpp>
#include <conch/runtime/regions.hpp>
#include <conch/runtime/thread_state.hpp>
#include <conch/thread_safety.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace conch {

/// Why a thread should stop at a checkpoint: the bits of a runtime's breaker.
namespace reason {
inline constexpr std::uint32_t drop = 1 << 0;       ///< somebody waits for the lock
inline constexpr std::uint32_t signal = 1 << 1;     ///< a signal has arrived
inline constexpr std::uint32_t call = 1 << 2;       ///< there are pending calls
inline constexpr std::uint32_t stop = 1 << 3;       ///< all threads are to stop
inline constexpr std::uint32_t exception = 1 << 4;  ///< the thread is to throw
/// The host's own, for n from 0 to 15.
constexpr std::uint32_t user(unsigned n) noexcept { return std::uint32_t{1} << (16 + n); }
inline constexpr std::uint32_t all_user_bits = 0xFFFF0000;  ///< all of the host's own
}  // namespace reason

/// Thrown in every thread after request_stop().
class stop_requested : public std::exception {
public:
  /// In words.
  [[nodiscard]] const char* what() const noexcept override { return "stop requested"; }
};

/// Thrown, if so configured, where a thread comes back to a runtime that was finalised.
class runtime_finalized : public std::exception {
public:
  /// In words.
  [[nodiscard]] const char* what() const noexcept override { return "runtime finalised"; }
};

/// What becomes of a thread that comes back to a runtime that was finalised.
enum class finalized_threads {
  park,         ///< it sleeps for ever, as in CPython 3.14
  throw_error,  ///< runtime_finalized is thrown; it sleeps if another exception is under way
};

/// On which thread a pending call runs.
enum class run_on { any_thread, main_thread };

/// How a runtime is to be. All of it has defaults.
struct runtime_config {
  finalized_threads when_finalized = finalized_threads::park;  ///< see there
  std::uint32_t recursion_limit = 1000;                        ///< of each thread that attaches

  /// Called when the breaker leaves zero, and when a thread begins to run or ends a checkpoint while it is
  /// not zero; see conch/breaker.hpp. runtime::current() is then the thread to be stopped.
  void (*push)(void* context) noexcept = nullptr;
  void* push_context = nullptr;  ///< the first argument of push

  /// Called at a checkpoint with the user bits that were set, and which are clear now. nullptr: they are
  /// cleared.
  void (*on_user_bits)(void* context, std::uint32_t bits) = nullptr;
  void* user_context = nullptr;  ///< the first argument of on_user_bits
};

namespace detail {
/// Calls a function at the end of a scope, also if an exception ends it.
template <class F>
struct at_exit {
  F does;
  explicit at_exit(F function) : does(std::move(function)) {}
  at_exit(const at_exit&) = delete;
  at_exit& operator=(const at_exit&) = delete;
  ~at_exit() { does(); }
};
}  // namespace detail

/// Everything that an interpreter needs around its lock.
///
/// A thread attaches, and from then on it runs whenever it holds the lock; one thread runs at a time.
/// Around what may block it lets go (conch/runtime/regions.hpp). Every few instructions it comes to a
/// checkpoint, where all that others want of it is done: letting them in, the handlers of signals,
/// pending calls, exceptions that other threads raised in it. The thread that made the runtime is the
/// main thread.
///
/// Guarantee   A checkpoint with nothing to do is one relaxed load and a branch; over tick_gil, which
///             counts, one decrement more. Nothing that is asked of a thread is lost: one that blocks
///             where it can be unblocked is woken to do it.
/// Algorithm   One breaker for the thread that runs. What concerns one thread alone (a signal, the main
///             one; an exception, its target) is noted beside it, and the breaker set again when that
///             thread begins to run. CPython 3.12, Python/ceval_gil.c, computes its eval breaker
///             likewise.
/// Use it      for an interpreter, a simulator or a plug-in host, one for each lock.
///
/// Of the lock it wants no more than the concept. One that has a request() asks through the breaker; one
/// that counts checkpoints is asked at each; one that never asks its holder lets others in where the
/// thread lets go, or yields. Functions are for a thread that runs, unless they say otherwise; that is
/// checked, at a checkpoint only where there is something to do.
template <class Lock>
class runtime final : posix_process::fork_follower, posix_process::signal_listener {
  static_assert(cooperative_lock<Lock>);

public:
  using lock_type = Lock;                                 ///< the lock that it is over
  using platform = typename Lock::platform;               ///< the platform that it is made for
  using state = thread_state<platform>;                   ///< what it knows of a thread
  using thread_id = typename platform::thread_id;         ///< as the platform names threads
  using signal_handler = std::function<void(int signo)>;  ///< of a signal, called at a checkpoint

  /// The lock raises a drop request, which the breaker mirrors.
  static constexpr bool asks = requires(Lock & lock) { lock.request(); };
  /// The lock wants to see every checkpoint: to look at reasons() is not enough.
  static constexpr bool counts = Lock::traits.checkpoint_switches && !asks;

  /// The lock is made of `lock_arguments`. The caller is the main thread; it does not run yet.
  template <class... Arguments>
  explicit runtime(const runtime_config& config = {}, Arguments&&... lock_arguments)
      : fork_follower(&runtime::forks),
        signal_listener(&runtime::arrive),
        config_(config),
        breaker_(config.push, config.push_context),
        lock_slot_(std::forward<Arguments>(lock_arguments)...) {
    if constexpr (asks) lock().request().mirror_in(breaker_, reason::drop);
  }
  runtime(const runtime&) = delete;
  runtime& operator=(const runtime&) = delete;

  /// Precondition: no thread is attached, or the runtime was finalised and none runs. In the latter case
  /// threads may come back later, and the memory must then last as they do: give the runtime static
  /// storage. Threads that are turned away by an exception have left their attachments.
  ~runtime() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (is_running()) violate("destroyed by a thread that runs");
    leave_process();
    if (has_threads()) {
      if (!is_finalized()) violate("destroyed while threads are attached");
      return;
    }
    std::destroy_at(&lock());
    for (auto* list : {unused_, turned_away_})
      while (list != nullptr) delete std::exchange(list, list->next_);
  }

  // Threads --------------------------------------------------------------------------------------

  /// Any thread. The caller is attached, and runs, as long as the result lives; attachments may nest, in
  /// a thread that runs or that has let go. The first of a thread takes its state from the heap if none
  /// is free, and the end of it is O(threads).
  [[nodiscard]] attachment<Lock> attach() { return attachment<Lock>(*this); }

  /// Any thread. The state of the thread that runs now, nullptr if none does: a snapshot, except for the
  /// thread that runs.
  [[nodiscard]] state* current() const noexcept {
    return current_.load(std::memory_order_seq_cst);  // for push functions, see conch/breaker.hpp
  }
  /// Any thread: whether it runs.
  [[nodiscard]] bool is_running() const noexcept {
    const auto* self = own_state();
    return self != nullptr && self == current_.load(std::memory_order_relaxed);
  }
  /// How many threads are attached. O(threads).
  [[nodiscard]] std::size_t threads() const {
    check_runs("threads");
    std::size_t count = 0;
    for (const auto* s = attached_; s != nullptr; s = s->next_) ++count;
    return count;
  }
  /// Any thread that does not run: whether a thread is attached. Blocks until no other thread runs.
  [[nodiscard]] bool has_threads() {
    acquire();  // also from one inside of a slow call
    const bool some = attached_ != nullptr;
    release();
    return some;
  }
  /// Any thread: whether it is attached, and the main thread.
  [[nodiscard]] bool is_main_thread() const noexcept { return is_main(own_state()); }

  // Checkpoints ----------------------------------------------------------------------------------

  /// Does what others want of the caller. True if another thread ran in between. Throws what a signal
  /// handler, a pending call or the user bits' function throws, what was raised in the caller, and
  /// stop_requested; what was not done by then is done at the next checkpoint.
  bool checkpoint() {
    if constexpr (detail::checked) check_runs("checkpoint");
    bool switched = false;
    if constexpr (counts) switched = switch_at_checkpoint();
    if (!breaker_.any()) [[likely]]
      return switched;
    return attend() || switched;
  }

  /// Lets another thread run, if one waits. True if one did.
  bool yield() {
    auto& self = running_state("yield");
    // Slow calls that begin meanwhile must let go: see acquire_from_slow_call().
    if constexpr (Lock::traits.any_thread_unlocks) wanted_.fetch_add(1, std::memory_order_seq_cst);
    const bool switched = lock().yield();
    if constexpr (Lock::traits.any_thread_unlocks) wanted_.fetch_sub(1, std::memory_order_relaxed);
    if (switched) begin_to_run(self);
    return switched;
  }

  /// The word of reasons, of which the user bits are the host's to set, from any thread.
  [[nodiscard]] breaker<platform>& reasons() noexcept { return breaker_; }

  // What others may want -------------------------------------------------------------------------

  /// Any thread; async-signal-safe. Has a call made at a checkpoint. False if there is no room for it.
  /// A call that throws ends the pass, and those behind it wait for the next; calls are not made inside
  /// each other, and at most pending_calls::capacity of each kind at a checkpoint.
  [[nodiscard]] bool add_pending_call(pending_call call,
                                      run_on where = run_on::any_thread) noexcept {
    if (!calls_of(where).queue.push(call)) return false;
    if (where == run_on::main_thread) elsewhere_.fetch_or(main_call, std::memory_order_seq_cst);
    breaker_.set(reason::call);
    if (where == run_on::main_thread) interrupt_main();
    return true;
  }

  /// From now on, the signal has the handler run on the main thread at its next checkpoint; a main
  /// thread that blocks in a system call gets EINTR, and one that can be unblocked is. An empty handler
  /// gives the signal back. Throws as posix_process::listen(), and what copying the handler throws.
  /// The main thread must not end while a signal has a handler.
  void on_signal(int signo, const signal_handler& handler) {
    check_runs("on_signal");
    posix_process::check_signal(signo);
    if (!handler) {
      posix_process::stop_listening(signo, *this);
      handlers_[index(signo)] = {};
      return;
    }
    auto copy = std::make_shared<const signal_handler>(handler);
    posix_process::listen(signo, *this);  // first: an arrival in between finds the old handler
    handlers_[index(signo)] = std::move(copy);
  }

  /// Async-signal-safe: as if the signal had come to the main thread. In a program where signals do come
  /// it is for the main thread alone: elsewhere its blocking system calls would go on.
  void signal_arrived(int signo) noexcept {
    signals_.add(signo);
    elsewhere_.fetch_or(main_signal, std::memory_order_seq_cst);
    if constexpr (forces) lock().force_checkpoint();
    breaker_.set(reason::signal);
    interrupt_main();
  }

  /// Raises an exception in an attached thread at its next checkpoint, and wakes it if it can be
  /// unblocked. One that was not thrown yet is replaced; nullptr only takes it back. False if there is no
  /// such thread. O(threads).
  bool raise_in(thread_id thread, const std::exception_ptr& exception) {
    check_runs("raise_in");
    for (auto* s = attached_; s != nullptr; s = s->next_) {
      if (s->id_ != thread) continue;
      raise(*s, exception);
      return true;
    }
    return false;
  }

  /// Raises an exception in every thread that is attached by now but the caller. O(threads).
  void terminate(const std::exception_ptr& exception) {
    auto& self = running_state("terminate");
    for (auto* s = attached_; s != nullptr; s = s->next_)
      if (s != &self) raise(*s, exception);
  }

  /// Any thread; async-signal-safe. Has stop_requested thrown in all attached threads, each at its next
  /// checkpoint. Where no thread runs, the main one is woken for it if it can be unblocked.
  void request_stop() noexcept {
    breaker_.set(reason::stop);
    interrupt_main();
  }

  // Forks ----------------------------------------------------------------------------------------

  /// Has before_fork() and its like called for each fork of the process, as pthread_atfork() does.
  /// Precondition: no thread forks meanwhile. A fork takes the locks of all runtimes that follow: threads
  /// that run in two of them must not fork at once, and with glibc before 2.36 or musl only a thread that
  /// runs may fork. Throws std::system_error if the system has no memory for it.
  void follow_forks() {
    if (follows_forks_) return;
    posix_process::follow_forks(*this);
    follows_forks_ = true;
  }

  /// Any thread. To be called right before fork(): takes the lock if the caller does not run.
  void before_fork() {
    const bool runs = is_running();
    if (!runs) acquire();
    borrowed_for_fork_ = !runs;
  }
  /// Right after fork() in the parent, and if it failed.
  void after_fork_in_parent() noexcept {
    if (borrowed_for_fork_) release();
  }
  /// Right after fork() in the child. The caller runs if it did before, and is the main thread; all
  /// other threads, pending calls and signals are gone.
  void after_fork_in_child() noexcept {
    auto* const self = own_state();
    posix_process::reset_after_fork();
    forget_others(self);
    main_thread_ = number_of_caller();
    main_native_ = posix_process::native_thread::self();
    main_.store(self, std::memory_order_relaxed);
    slow_.store(nullptr, std::memory_order_relaxed);
    wanted_.store(0, std::memory_order_relaxed);
    for (auto& c : calls_) {
      c.queue.clear();
      if (c.maker != self) c.maker = nullptr;
    }
    signals_.clear();
    elsewhere_.fetch_and(finalizing | exceptions, std::memory_order_relaxed);
    lock().reset_after_fork(!borrowed_for_fork_);
    breaker_.take(~reason::all_user_bits);
    current_.store(borrowed_for_fork_ ? nullptr : self, std::memory_order_relaxed);
    ++generation_;
    if (self == nullptr) return;
    self->id_ = platform::this_thread();
    self->interruption_.reset_after_fork();
    if (self->exception_ == nullptr) return;
    breaker_.set(reason::exception);
    self->interruption_.interrupt();
  }
  /// How many forks ago the process began: threads that waited for something in another generation are
  /// gone.
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }

  // The end --------------------------------------------------------------------------------------

  /// From now on no thread but the caller runs: one that comes back sleeps for ever or throws, as
  /// configured.
  void finalize() {
    const auto& self = running_state("finalize");
    finalizer_ = number_of_caller();
    elsewhere_.fetch_or(finalizing, std::memory_order_seq_cst);
    for (auto& c : calls_)
      if (c.maker != &self) c.maker = nullptr;  // it will not come back to them
    announce(main_call, reason::call);
  }
  /// Any thread: a snapshot.
  [[nodiscard]] bool is_finalized() const noexcept {
    return (elsewhere_.load(std::memory_order_relaxed) & finalizing) != 0;
  }

  /// Gives its signals back and follows forks no more, as the destructor does first: for a runtime that
  /// is never destroyed because threads may come back to it. Precondition: no thread runs, and none
  /// forks meanwhile.
  void leave_process() {
    for (int signo = 1; signo <= arrived_signals<platform>::most; ++signo)
      if (std::exchange(handlers_[index(signo)], nullptr))
        posix_process::stop_listening(signo, *this);
    if (std::exchange(follows_forks_, false)) posix_process::stop_following(*this);
  }

  // ----------------------------------------------------------------------------------------------

  /// For monitoring, and for what a lock can do beside; taking it or letting go is the runtime's.
  [[nodiscard]] Lock& lock() noexcept { return lock_slot_.lock; }
  [[nodiscard]] const Lock& lock() const noexcept { return lock_slot_.lock; }  ///< likewise

  /// Lock and threads in words. May allocate. O(threads).
  [[nodiscard]] std::string describe() {
    auto& self = running_state("describe");
    auto text = "runtime over " + lock().describe();
    for (const auto* s = attached_; s != nullptr; s = s->next_)
      text += "\n  thread " + std::to_string(s->id_) + ": nesting " + std::to_string(s->nesting_) +
              ", depth " + std::to_string(s->depth_) + ", " + std::to_string(s->ticks_) + " ticks" +
              (s == &self ? ", runs" : "") + (is_main(s) ? ", main" : "") +
              (s->exception_ != nullptr ? ", exception pending" : "");
    return text;
  }

private:
  template <class>
  friend class attachment;
  template <class>
  friend class running;
  template <class>
  friend class released;
  template <class>
  friend class slow_region;
  template <class>
  friend class condition;

  /// The lock can be made to end its period.
  static constexpr bool forces = requires(Lock & lock) { lock.force_checkpoint(); };

  // What concerns threads that may not run now.
  enum : std::uint32_t { main_signal = 1, main_call = 2, exceptions = 4, finalizing = 8 };

  // Beginning and ceasing to run -----------------------------------------------------------------

  /// The states of one thread, one for each runtime that it is attached to.
  struct CONCH_SHARED own_states {
    state* first = nullptr;
    std::uint64_t number = 0;  // of the thread, and of no other; a thread_id may come again
  };
  struct CONCH_SHARED numbered_threads {
    std::atomic<std::uint64_t> count{0};
  };

  static std::uint64_t number_of_caller() noexcept {
    auto& number = platform::template of_this_thread<own_states>().number;
    if (number == 0) {
      auto& threads = posix_platform::of_this_process<numbered_threads>();
      number =
          threads.count.fetch_add(1, std::memory_order_relaxed) + 1;  // a count: orders nothing
    }
    return number;
  }

  state* own_state() const noexcept {
    auto* s = platform::template of_this_thread<own_states>().first;
    while (s != nullptr && s->runtime_ != this) s = s->also_mine_;
    return s;
  }

  struct entry {
    state& self;
    bool begins;  // the caller did not run before
  };

  [[gnu::always_inline]] entry enter() {
    auto* self = own_state();
    const bool begins = self == nullptr || self != current_.load(std::memory_order_relaxed);
    if (self == nullptr) [[unlikely]]
      self = &attach_first();
    else if (begins)
      call_back(*self);
    ++self->nesting_;
    return {*self, begins};
  }

  [[gnu::always_inline]] void leave(const entry& made) {
    auto& self = made.self;
    if (was_turned_away(self)) [[unlikely]]
      return;
    if (&self != current_.load(std::memory_order_relaxed)) [[unlikely]]
      violate("detached while it does not run");
    if (--self.nesting_ == 0) [[unlikely]]
      strike_off(self, unused_);
    if (made.begins) return_to_call(self);
  }

  state& let_go() {
    auto& self = running_state("released");
    release();
    return self;
  }

  /// For a call that can be unblocked.
  state& let_go_to_block() {
    auto& self = running_state("released");
    remind(self);
    release();
    return self;
  }

  /// An interrupt that the caller has taken stands again if what it was about is not done. Orders:
  /// seq_cst, so that of this thread and one that finds out by main_ whom to interrupt at least one sees
  /// the other.
  void remind(state& self) noexcept {
    const auto there = elsewhere_.load(std::memory_order_seq_cst);
    const bool stops = (breaker_.seen(std::memory_order_seq_cst) & reason::stop) != 0;
    if (stops || self.exception_ != nullptr ||
        (is_main(&self) && (there & (main_signal | main_call)) != 0))
      self.interruption_.interrupt();
  }

  void come_back(state& self) {
    acquire();
    begin_to_run(self);
  }

  /// From inside of a region in which the thread has let go, and back to it.
  [[gnu::always_inline]] void call_back(state& self) {
    if (self.interruption_.is_inside()) [[unlikely]]
      self.interruption_.suspend();
    come_back(self);
  }
  [[gnu::always_inline]] void return_to_call(state& self) noexcept {
    if (!self.interruption_.is_inside()) [[likely]]
      return release();
    remind(self);
    release();
    self.interruption_.resume();
  }

  [[gnu::always_inline]] void begin_to_run(state& self) {
    // Where somebody is pushed, the store must be seen before the breaker is looked at; see there.
    if (breaker_.is_pushed())
      current_.exchange(&self, std::memory_order_seq_cst);
    else
      current_.store(&self, std::memory_order_relaxed);
    if (elsewhere_.load(std::memory_order_relaxed) != 0 ||
        breaker_.seen(std::memory_order_seq_cst) != 0) [[unlikely]]
      settle(self);
  }

  [[gnu::always_inline]] void acquire() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if constexpr (Lock::traits.any_thread_unlocks) {
      if (!lock().try_lock()) acquire_from_slow_call();
    } else {
      lock().lock();
    }
  }

  [[gnu::always_inline]] void release() noexcept CONCH_NO_THREAD_SAFETY_ANALYSIS {
    current_.store(nullptr, std::memory_order_relaxed);  // ordered by the lock
    lock().unlock();
  }

  // From here on, by the thread that holds the lock, unless said otherwise.

  /// Without the lock. The caller runs on return.
  [[gnu::cold]] state& attach_first() {
    acquire();
    auto& self = enrol();
    begin_to_run(self);
    return self;
  }

  state& enrol() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    if (unused_ == nullptr) {
      try {
        unused_ = new state;
      } catch (...) {
        release();
        throw;
      }
    }
    auto& self = *std::exchange(unused_, unused_->next_);
    // A push function may look at it, as of the thread that had this state before.
    std::atomic_ref<void*>(self.frame).store(nullptr, std::memory_order_relaxed);
    self.id_ = platform::this_thread();
    self.runtime_ = this;
    self.ticks_ = 0;
    self.depth_ = 0;
    self.nesting_ = 0;
    self.recursion_limit_ = config_.recursion_limit;
    self.interruption_.renew();
    self.next_ = std::exchange(attached_, &self);
    auto& mine = platform::template of_this_thread<own_states>();
    self.also_mine_ = std::exchange(mine.first, &self);
    // Pairs with interrupt_main(). seq_cst: see remind().
    if (number_of_caller() == main_thread_) main_.store(&self, std::memory_order_seq_cst);
    return self;
  }

  [[gnu::cold]] void strike_off(state& self, state*& list) noexcept {
    if (is_main(&self)) main_.store(nullptr, std::memory_order_relaxed);
    auto** link = &attached_;
    while (*link != &self) link = &(*link)->next_;
    *link = self.next_;
    auto** mine = &platform::template of_this_thread<own_states>().first;
    while (*mine != &self)  // NOLINT(clang-analyzer-core.NullDereference): it is among them
      mine = &(*mine)->also_mine_;
    *mine = self.also_mine_;
    dismiss(self, list);
  }

  /// Its memory stays: interrupt_main() may be about to use it.
  void dismiss(state& s, state*& list) noexcept {
    s.runtime_ = nullptr;
    static_cast<void>(take_exception(s));
    s.next_ = std::exchange(list, &s);
  }

  /// What concerns this thread is set in the breaker; one that has no business here any more is turned
  /// away.
  [[gnu::cold]] void settle(state& self) {
    const auto there = elsewhere_.load(std::memory_order_relaxed);
    if ((there & finalizing) != 0 && number_of_caller() != finalizer_) {
      turn_away();
      return;
    }
    push_if_asked();
    std::uint32_t its = 0;
    if (is_main(&self) && (there & main_signal) != 0) its |= reason::signal;
    if (is_main(&self) && (there & main_call) != 0) its |= reason::call;
    if (self.exception_ != nullptr) its |= reason::exception;
    if (its != 0) breaker_.set(its);
  }

  /// The caller's state is gone already if an attachment inside of a released region was turned away.
  /// Returns only if the exception that said so is under way.
  void turn_away() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    auto* const self = own_state();
    const bool throws = config_.when_finalized == finalized_threads::throw_error;
    if (self != nullptr) strike_off(*self, turned_away_);  // its attachments still look at it
    release();
    // The runtime may be gone from here on.
    const bool unwinds = std::uncaught_exceptions() != 0;
    if (throws && !unwinds) throw runtime_finalized();
    if (throws && self == nullptr) return;
    typename platform::parker for_ever;
    for (;;) for_ever.park();
  }

  // At a checkpoint ------------------------------------------------------------------------------

  [[gnu::noinline]] bool attend() {
    auto& self = running_state("checkpoint");
    ++self.ticks_;
    // What comes while something else stands, and what an exception leaves undone, is pushed here.
    const detail::at_exit push_rest([&] {
      if (!was_turned_away(self)) push_if_asked();
    });
    if (is_asked(reason::signal)) run_handlers(self);
    if (is_asked(reason::call)) make_calls(self);
    if (is_asked(reason::stop)) stop_all(self);
    if (const auto bits = take(reason::all_user_bits); bits != 0 && config_.on_user_bits != nullptr)
      config_.on_user_bits(config_.user_context, bits);
    bool switched = false;
    if constexpr (asks)
      if (is_asked(reason::drop)) switched = switch_at_checkpoint();
    if (is_asked(reason::exception)) throw_exception(self);
    return switched;
  }

  /// seq_cst: see conch/breaker.hpp.
  void push_if_asked() noexcept {
    if (breaker_.is_pushed() && breaker_.seen(std::memory_order_seq_cst) != 0) breaker_.push();
  }

  /// By the thread itself: then it must not touch the runtime.
  static bool was_turned_away(const state& self) noexcept { return self.runtime_ == nullptr; }

  std::uint32_t take(std::uint32_t reasons) noexcept {
    return (breaker_.seen() & reasons) != 0 ? breaker_.take(reasons) : 0;
  }
  bool is_asked(std::uint32_t why) noexcept { return take(why) != 0; }

  bool switch_at_checkpoint() {
    if (!lock().checkpoint()) return false;
    begin_to_run(*own_state());
    return true;
  }

  void run_handlers(state& self) {
    if (!is_main(&self)) {  // the main thread finds out when it begins to run
      // As in CPython 2: until then every tick ends the period.
      if constexpr (forces) {
        lock().force_checkpoint();
        breaker_.set(reason::signal);
      }
      return;
    }
    self.interruption_.take();
    elsewhere_.fetch_and(~std::uint32_t{main_signal}, std::memory_order_seq_cst);
    const detail::at_exit announce_rest([&] {
      if (!was_turned_away(self) && signals_.any()) announce(main_signal, reason::signal);
    });
    while (const int signo = signals_.take()) {
      const auto handler = handlers_[index(signo)];  // it may replace itself
      if (handler != nullptr) (*handler)(signo);
    }
  }

  struct calls {
    pending_calls<platform> queue;
    const state* maker = nullptr;  // the thread that makes them, perhaps one that does not run now
  };

  calls& calls_of(run_on where) noexcept { return calls_[static_cast<std::size_t>(where)]; }

  void make_calls(state& self) {
    auto& for_any = calls_of(run_on::any_thread);
    bool failed = is_main(&self);
    const detail::at_exit announce_rest([&] {
      if (failed && !was_turned_away(self) && !for_any.queue.empty()) announce(0, reason::call);
    });
    if (failed) {
      self.interruption_.take();
      elsewhere_.fetch_and(~std::uint32_t{main_call}, std::memory_order_seq_cst);
      make_calls(self, calls_of(run_on::main_thread), main_call);
      failed = false;
    }
    make_calls(self, for_any, 0);
  }

  void make_calls(const state& self, calls& these, std::uint32_t mark) {
    if (these.maker != nullptr) return;  // it sees to the rest
    these.maker = &self;
    const detail::at_exit announce_rest([&] {
      if (was_turned_away(self)) return;
      these.maker = nullptr;
      if (!these.queue.empty()) announce(mark, reason::call);
    });
    pending_call call;
    for (std::size_t n = 0; n < these.queue.capacity && these.queue.pop(call); ++n) call();
  }

  void stop_all(state& self) {
    self.interruption_.take();
    terminate(std::make_exception_ptr(stop_requested()));
    throw stop_requested();
  }

  void throw_exception(state& self) {
    if (self.exception_ == nullptr) return;  // it was another thread's
    self.interruption_.take();
    std::rethrow_exception(take_exception(self));
  }

  /// While an exception is pending, a thread that begins to run looks whether it is its own.
  std::exception_ptr take_exception(state& s) noexcept {
    if (s.exception_ != nullptr && --exceptions_pending_ == 0)
      elsewhere_.fetch_and(~std::uint32_t{exceptions},
                           std::memory_order_relaxed);  // under the lock
    return std::exchange(s.exception_, nullptr);
  }

  void raise(state& target, const std::exception_ptr& exception) {
    static_cast<void>(take_exception(target));
    if (exception == nullptr) return;
    target.exception_ = exception;
    ++exceptions_pending_;
    elsewhere_.fetch_or(exceptions, std::memory_order_relaxed);  // under the lock
    if (&target == own_state()) breaker_.set(reason::exception);
    target.interruption_.interrupt();
  }

  void announce(std::uint32_t mark, std::uint32_t why) noexcept {
    elsewhere_.fetch_or(mark, std::memory_order_seq_cst);
    breaker_.set(why);
  }

  // Any thread -----------------------------------------------------------------------------------

  static void forks(posix_process::fork_follower& follower, posix_process::fork_moment when) {
    auto& self = static_cast<runtime&>(follower);
    switch (when) {
      case posix_process::fork_moment::before:
        return self.before_fork();
      case posix_process::fork_moment::after_in_parent:
        return self.after_fork_in_parent();
      case posix_process::fork_moment::after_in_child:
        return self.after_fork_in_child();
    }
  }

  static void arrive(posix_process::signal_listener& listener, int signo) noexcept {
    auto& self = static_cast<runtime&>(listener);
    if (self.main_native_.is_caller())
      self.signal_arrived(signo);
    else
      self.main_native_.send(signo);
  }

  /// A state that is not the main thread's any more is interrupted for nothing: it lives as long as the
  /// runtime. Pairs with enrol(); seq_cst: see remind().
  void interrupt_main() noexcept {
    if (auto* const main = main_.load(std::memory_order_seq_cst)) main->interruption_.interrupt();
  }

  bool is_main(const state* s) const noexcept {
    return s != nullptr && s == main_.load(std::memory_order_relaxed);
  }

  // Slow calls, see regions.hpp ------------------------------------------------------------------

  /// Precondition: a lock that any thread may unlock. Orders: seq_cst, so that of a thread that begins a
  /// slow call and one that wants the lock at least one sees the other.
  void acquire_from_slow_call() CONCH_NO_THREAD_SAFETY_ANALYSIS {
    wanted_.fetch_add(1, std::memory_order_seq_cst);
    if (slow_.load(std::memory_order_seq_cst) == nullptr) {
      lock().lock();
    } else if (!lock().try_lock_for(slow_call_grace)) {
      if (slow_.exchange(nullptr, std::memory_order_seq_cst) != nullptr) lock().unlock();
      lock().lock();
    }
    wanted_.fetch_sub(1, std::memory_order_relaxed);
  }

  void begin_slow_call(state& self) noexcept CONCH_NO_THREAD_SAFETY_ANALYSIS {
    current_.store(nullptr, std::memory_order_relaxed);
    slow_.store(&self, std::memory_order_seq_cst);
    if (wanted_.load(std::memory_order_seq_cst) != 0 && take_slow_call(self)) lock().unlock();
  }

  void end_slow_call(state& self) {
    if (!take_slow_call(self)) acquire();
    begin_to_run(self);
  }

  /// Whoever takes it has the right to let go of the lock, or to go on.
  bool take_slow_call(state& self) noexcept {
    auto* expected = &self;
    return slow_.compare_exchange_strong(expected, nullptr, std::memory_order_seq_cst);
  }

  static constexpr std::chrono::microseconds slow_call_grace{20};

  // Forks and contracts --------------------------------------------------------------------------

  void forget_others(state* self) noexcept {
    auto** link = &attached_;
    while (*link != nullptr) {
      auto& s = **link;
      if (&s == self) {
        link = &s.next_;
      } else {
        *link = s.next_;
        dismiss(s, unused_);
      }
    }
  }

  state& running_state(const char* what) const {
    auto* const self = own_state();
    if (self == nullptr || self != current_.load(std::memory_order_relaxed)) [[unlikely]] {
      const auto rule = std::string(what) + " by a thread that does not run";
      violate(rule.c_str());
    }
    return *self;
  }
  void check_runs(const char* what) const { static_cast<void>(running_state(what)); }

  [[noreturn]] void violate(const char* rule) const {
    violate_contract<platform>("runtime", rule, this);
  }

  static constexpr std::size_t index(int signo) noexcept {
    return static_cast<std::size_t>(signo) - 1;
  }

  /// A lock that is not destroyed with its surroundings.
  union lock_slot {
    template <class... Arguments>
    explicit lock_slot(Arguments&&... arguments) : lock(std::forward<Arguments>(arguments)...) {}
    ~lock_slot() {}  // NOLINT(*use-equals-default): that would be deleted
    Lock lock;
  };

  const runtime_config config_;

  // Looked at by everybody, and mostly unchanged.
  conch::breaker<platform> breaker_;
  typename platform::template atomic<std::uint32_t> elsewhere_{0};
  typename platform::template atomic<state*> current_{nullptr};
  lock_slot lock_slot_;

  // Guarded by the lock.
  state* attached_ = nullptr;
  state* unused_ = nullptr;
  state* turned_away_ = nullptr;
  std::array<std::shared_ptr<const signal_handler>, arrived_signals<platform>::most> handlers_;
  std::uint64_t main_thread_ = number_of_caller();
  posix_process::native_thread main_native_ = posix_process::native_thread::self();
  std::uint64_t finalizer_ = 0;
  std::uint32_t exceptions_pending_ = 0;
  std::uint32_t generation_ = 0;
  bool follows_forks_ = false;
  bool borrowed_for_fork_ = false;

  typename platform::template atomic<state*> main_{nullptr};
  arrived_signals<platform> signals_;
  std::array<calls, 2> calls_;
  typename platform::template atomic<state*> slow_{nullptr};     // who is inside a slow call
  typename platform::template atomic<std::uint32_t> wanted_{0};  // how many wait for the lock
};

}  // namespace conch
