// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix_process.hpp>
#include <conch/runtime/condition.hpp>
#include <conch/runtime/runtime.hpp>

#include <lua.hpp>

#include <array>
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

namespace conch::lua {

/// How running Lua code comes to a checkpoint.
enum class checkpoints {
  pushed,   ///< by a hook that is set when somebody asks, and that takes itself away
  counted,  ///< by a hook at every 100th instruction
};

/// Whether Lua code under the lock can be pushed: the lock says when it wants its holder to move on.
template <class Lock>
inline constexpr bool can_push = requires(Lock& lock) {
  lock.request();
};

template <class Lock>
inline constexpr checkpoints default_checkpoints =
    can_push<Lock> ? checkpoints::pushed : checkpoints::counted;

/// Raised in a thread, ends the script that runs there: see universe::end_scripts().
class script_ended : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Is told when a thread ceases to run Lua code, and when it runs it again.
class thread_listener {
public:
  virtual ~thread_listener() = default;
  virtual void leaves() noexcept = 0;
  /// It is done with a call that may have blocked, and is about to ask for the lock.
  virtual void asks() noexcept = 0;
  virtual void enters(bool another_ran) noexcept = 0;
};

class universe;

/// One thread of the system that runs Lua code in a universe. All but push() is for the thread itself.
class script_thread {
public:
  script_thread(universe& owner, lua_State* state);
  script_thread(const script_thread&) = delete;
  script_thread& operator=(const script_thread&) = delete;

  /// Its own Lua thread, for calls from outside of Lua.
  [[nodiscard]] lua_State* state() const noexcept { return state_; }

  /// Calls a function that is on the stack of state() with its arguments, as lua_pcall(). False if there
  /// was an error; its message, with a traceback, is then on the stack instead of results.
  bool call(int arguments, int results);

  /// Whether the script was ended by the host.
  [[nodiscard]] bool is_ended() const noexcept { return ending_ != ending::no; }

  void set_listener(thread_listener* listener) noexcept { listener_ = listener; }

  /// Has the hook called before the next instruction of this thread, or when it begins to run Lua code.
  /// Any thread; async-signal-safe.
  void push() noexcept;

  // For C functions that Lua code calls -----------------------------------------------------------

  /// The one that runs on the calling thread. Precondition: there is one.
  static script_thread& of_caller() noexcept;

  /// Has attempt() called, without the lock, until it returns true or the deadline has come; before each
  /// new try, waits until `descriptor` (-1: none) has one of the events. Other threads run meanwhile.
  /// False if something was raised in this thread, which raise() then turns into an error: no Lua
  /// function that may raise an error is to be called while C++ objects wait to be destroyed.
  template <class Attempt>
  bool block(int descriptor, short events, posix_platform::time_point deadline, Attempt attempt) {
    return block_on({descriptor, events, deadline,
                     [](void* a) noexcept { return (*static_cast<Attempt*>(a))(); }, &attempt});
  }
  static constexpr auto no_deadline = posix_platform::time_point::max();

  /// A checkpoint: for C functions that take long. False as for block().
  bool checkpoint() noexcept;

  /// Raises a Lua error of what block() or checkpoint() met; `level` as in luaL_where().
  [[noreturn]] void raise(lua_State* state, int level = 1) const;

private:
  friend class universe;

  /// How far a script has got with ending because the host has told it to.
  enum class ending {
    no,
    told,      ///< it got the error once, and has until `grace_` is used up
    for_good,  ///< it gets the error at each instruction
  };

  struct blocking_call {
    int descriptor;
    short events;
    posix_platform::time_point deadline;
    bool (*attempt)(void*) noexcept;
    void* context;
  };
  enum class call_end { done, refused, interrupted };

  class outside_lua;
  friend int call_inside(lua_State* outer, lua_State* inner);

  static void hook(lua_State* state, lua_Debug* where);
  static void handle_push(int signo) noexcept;

  bool block_on(const blocking_call& call) noexcept;
  call_end try_and_wait(const blocking_call& call) noexcept;
  void note(const char* what) noexcept;
  void note_end(const char* why) noexcept;
  void enter(lua_State* state) noexcept;
  void arm() noexcept;
  void set_standing_hook(lua_State* state) const noexcept;

  static thread_local constinit std::atomic<script_thread*> of_this_thread_;

  universe& universe_;
  lua_State* const state_;
  const posix_process::native_thread native_ = posix_process::native_thread::self();
  int wake_up_ = -1;  // an eventfd, which ends a blocking call

  // The Lua thread, this one's or a coroutine, whose code runs: set while, and only while, this thread
  // has the lock and goes on with Lua code. Relaxed, here and in all that follows: only this thread and
  // its own signal handler use it.
  std::atomic<lua_State*> running_{nullptr};

  ending ending_ = ending::no;
  int grace_ = 0;
  thread_listener* listener_ = nullptr;
  std::array<char, 256> what_{};
};

/// One Lua state that many threads share, each with a Lua thread of its own, under one lock: it is let
/// go only at checkpoints and in blocking calls. Scripts have, besides Lua's libraries, the functions of
/// lua_io.hpp.
///
/// Coroutines run on whatever thread resumes them. debug.sethook is not there: the hook is the
/// universe's.
class universe {
public:
  universe(const universe&) = delete;
  universe& operator=(const universe&) = delete;
  virtual ~universe() = default;

  /// Any thread. Calls body() with the calling thread attached and running. Throws what it throws, and
  /// std::system_error if the system refuses a descriptor or a thread.
  virtual void run(const std::function<void(script_thread&)>& body) = 0;

  // For a thread inside run() ----------------------------------------------------------------------

  /// Lets others run until done(). It is asked again after each announce(). Signal handlers run.
  virtual void wait(const std::function<bool()>& done) = 0;
  virtual void announce() = 0;

  /// As runtime::on_signal().
  virtual void on_signal(int signo, std::function<void(int)> handler) = 0;

  /// Raises an error in all other threads inside run(). The script there may catch it once, to clean up;
  /// it gets it again after 10,000 instructions, or when it would have to wait for something, or when
  /// it is told once more, and then at each instruction until it has ended.
  virtual void end_scripts(const std::string& why) = 0;

  // ------------------------------------------------------------------------------------------------

  [[nodiscard]] checkpoints way() const noexcept { return way_; }
  /// The lock in words. Any thread.
  [[nodiscard]] virtual std::string describe() = 0;

protected:
  using state = thread_state<posix_platform>;

  /// Throws std::bad_alloc if there is no memory for it.
  explicit universe(checkpoints way);

  void run_attached(state& here, const std::function<void(script_thread&)>& body);
  /// Closes the Lua state: finalizers run. The last thing to be done by an attached thread.
  void close_attached(state& here) noexcept;
  /// To be called before anything goes away, by a thread that is not attached.
  void stop_reminding() noexcept;

  void push_to(state* here) noexcept;

private:
  friend class script_thread;

  class place;

  virtual bool checkpoint() = 0;
  virtual void release(unblock_function unblock, void* argument, void (*call)(void*),
                       void* context) = 0;
  virtual breaker<posix_platform>& reasons() noexcept = 0;
  virtual void push() noexcept = 0;

  [[nodiscard]] bool is_asked() noexcept { return way_ == checkpoints::pushed && reasons().any(); }
  void remind();

  const checkpoints way_;
  std::unique_ptr<lua_State, decltype(&lua_close)> main_;
  std::deque<script_thread> threads_;  // whoever pushes may look at one that is gone
  script_thread& closer_;              // whoever closes the Lua state

  // Lua 5.4 can lose a hook that is set while it finds that there is none (luaG_traceexec). So whoever
  // was pushed and has not come to a checkpoint soon is pushed again.
  std::thread reminder_;
  std::atomic<bool> closing_{false};
  posix_platform::parker reminder_sleeps_;
};

/// A universe under a lock of that type.
template <class Lock>
class universe_over final : public universe {
public:
  /// The caller is the runtime's main thread, the one on which the handlers of signals run.
  template <class... Arguments>
  explicit universe_over(checkpoints way = default_checkpoints<Lock>, Arguments&&... lock_arguments)
      : universe(way),
        runtime_(config(way), std::forward<Arguments>(lock_arguments)...),
        changed_(runtime_) {}
  /// Precondition: no thread is inside run(). The program ends if there is no memory to attach.
  ~universe_over() override {  // NOLINT(bugprone-exception-escape)
    stop_reminding();
    const auto here = runtime_.attach();
    close_attached(*runtime_.current());
  }
  universe_over(const universe_over&) = delete;
  universe_over& operator=(const universe_over&) = delete;

  void run(const std::function<void(script_thread&)>& body) override {
    const auto here = runtime_.attach();
    run_attached(*runtime_.current(), body);
  }
  void wait(const std::function<bool()>& done) override { changed_.wait(done); }
  void announce() override { changed_.notify_all(); }
  void on_signal(int signo, std::function<void(int)> handler) override {
    runtime_.on_signal(signo, std::move(handler));
  }
  void end_scripts(const std::string& why) override {
    runtime_.terminate(std::make_exception_ptr(script_ended(why)));
  }
  [[nodiscard]] std::string describe() override { return runtime_.lock().describe(); }

  [[nodiscard]] Lock& lock() noexcept { return runtime_.lock(); }

private:
  runtime_config config(checkpoints way) {
    runtime_config result;
    if (way == checkpoints::counted) return result;
    result.push = [](void* self) noexcept { static_cast<universe_over*>(self)->push(); };
    result.push_context = this;
    return result;
  }

  bool checkpoint() override {
    bool another_ran = runtime_.checkpoint();
    if constexpr (!Lock::traits.checkpoint_switches) another_ran |= runtime_.yield();
    return another_ran;
  }
  void release(unblock_function unblock, void* argument, void (*call)(void*),
               void* context) override {
    const released<Lock> region(runtime_, unblock, argument);
    call(context);
  }
  breaker<posix_platform>& reasons() noexcept override { return runtime_.reasons(); }
  void push() noexcept override { push_to(runtime_.current()); }

  runtime<Lock> runtime_;
  condition<Lock> changed_;
};

}  // namespace conch::lua
