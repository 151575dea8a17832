// SPDX-License-Identifier: MIT
#include "lua_universe.hpp"

#include "lua_io.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>

namespace conch::lua {

namespace {

constexpr int push_signal = SIGURG;  // ignored where nobody handles it
constexpr int hook_period = 100;     // instructions
constexpr int grace_in_hooks = 100;
constexpr std::chrono::milliseconds reminder_period{1};

void wake(void* descriptor) noexcept {
  const int kept = errno;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(*static_cast<int*>(descriptor), &one, sizeof one);
  errno = kept;
}

/// The message of an error with a traceback, as in the stand-alone interpreter.
int add_traceback(lua_State* state) {
  const char* message = lua_tostring(state, 1);
  if (message == nullptr) {
    if (luaL_callmeta(state, 1, "__tostring") != 0 && lua_type(state, -1) == LUA_TSTRING) return 1;
    message = lua_pushfstring(state, "(error object is a %s value)", luaL_typename(state, 1));
  }
  luaL_traceback(state, state, message, 1);
  return 1;
}

}  // namespace

// Threads ----------------------------------------------------------------------------------------

/// A scope in which the thread does not go on with Lua code, and others may run it.
class script_thread::outside_lua {
public:
  explicit outside_lua(script_thread& self) noexcept
      : self_(self), resumes_(self.running_.load(std::memory_order_relaxed)) {
    self.running_.store(nullptr, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);  // the handler sees it before what follows
    if (self.listener_ != nullptr) self.listener_->leaves();
  }
  outside_lua(const outside_lua&) = delete;
  outside_lua& operator=(const outside_lua&) = delete;
  ~outside_lua() {
    if (self_.listener_ != nullptr) self_.listener_->enters(another_ran);
    self_.enter(resumes_);
  }

  bool another_ran = true;

private:
  script_thread& self_;
  lua_State* const resumes_;
};

thread_local constinit std::atomic<script_thread*> script_thread::of_this_thread_{nullptr};

script_thread::script_thread(universe& owner, lua_State* state) : universe_(owner), state_(state) {
  wake_up_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_up_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

script_thread& script_thread::of_caller() noexcept {
  return *of_this_thread_.load(std::memory_order_relaxed);
}

bool script_thread::call(int arguments, int results) {
  const int function = lua_gettop(state_) - arguments;
  lua_pushcfunction(state_, add_traceback);
  lua_insert(state_, function);
  auto* const before = running_.load(std::memory_order_relaxed);
  enter(state_);
  const int status = lua_pcall(state_, arguments, results, function);
  enter(before);
  lua_remove(state_, function);
  return status == LUA_OK;
}

/// From now on this Lua thread's code runs, or none. A push that came too early for it is made up for:
/// whoever made it had set the breaker before.
void script_thread::enter(lua_State* state) noexcept {
  running_.store(state, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (state == nullptr) return;
  if (is_ended() && (ending_ == ending::for_good || lua_gethook(state) != hook))
    set_standing_hook(state);
  if (universe_.is_asked()) arm();
}

void script_thread::push() noexcept {
  if (of_this_thread_.load(std::memory_order_relaxed) == this)
    arm();
  else
    native_.send(push_signal);
}

void script_thread::handle_push(int) noexcept {
  if (auto* const self = of_this_thread_.load(std::memory_order_relaxed)) self->arm();
}

/// On the thread itself, perhaps in a signal handler: lua_sethook() walks the calls of a Lua thread,
/// which only the thread that runs it may do.
void script_thread::arm() noexcept {
  if (auto* const state = running_.load(std::memory_order_relaxed))
    lua_sethook(state, hook, LUA_MASKCOUNT, 1);
}

void script_thread::set_standing_hook(lua_State* state) const noexcept {
  if (ending_ == ending::for_good)
    lua_sethook(state, hook, LUA_MASKCOUNT, 1);
  else if (is_ended() || universe_.way() == checkpoints::counted)
    lua_sethook(state, hook, LUA_MASKCOUNT, hook_period);
  else
    lua_sethook(state, nullptr, 0, 0);
}

void script_thread::hook(lua_State* state, lua_Debug*) {
  auto& self = of_caller();
  self.running_.store(state, std::memory_order_relaxed);
  // Before the checkpoint: a push from now on finds the thread outside of Lua, or the hook away.
  if (self.universe_.way() == checkpoints::pushed) self.set_standing_hook(state);
  bool goes_on = self.checkpoint();
  if (goes_on && self.is_ended() && --self.grace_ < 0) {
    self.ending_ = ending::for_good;
    goes_on = false;
  }
  if (goes_on) return;
  if (self.is_ended()) self.set_standing_hook(state);
  self.raise(state, 0);
}

bool script_thread::checkpoint() noexcept {
  outside_lua others_run(*this);
  try {
    others_run.another_ran = universe_.checkpoint();
    return true;
  } catch (const script_ended& end) {
    note_end(end.what());
  } catch (const stop_requested& end) {
    note_end(end.what());
  } catch (const std::exception& error) {
    note(error.what());
  } catch (...) {
    note("an exception was raised in this thread");
  }
  return false;
}

void script_thread::note(const char* what) noexcept {
  const auto length = std::min(std::strlen(what), what_.size() - 1);
  std::copy_n(what, length, what_.begin());
  what_[length] = '\0';
}

void script_thread::note_end(const char* why) noexcept {
  note(why);
  ending_ = is_ended() ? ending::for_good : ending::told;
  grace_ = grace_in_hooks;
}

void script_thread::raise(lua_State* state, int level) const {
  luaL_where(state, level);
  lua_pushstring(state, what_.data());
  lua_concat(state, 2);
  lua_error(state);
  std::abort();  // lua_error() does not return, and its declaration does not say so
}

bool script_thread::block_on(const blocking_call& call) noexcept {
  for (;;) {
    auto end = call_end::done;
    {
      const outside_lua others_run(*this);
      auto blocks = [&] {
        end = try_and_wait(call);
        if (listener_ != nullptr) listener_->asks();
      };
      universe_.release(
          wake, &wake_up_, [](void* f) { (*static_cast<decltype(blocks)*>(f))(); }, &blocks);
    }
    if (end == call_end::done) return true;
    if (end == call_end::refused) return false;
    if (!checkpoint()) return false;
  }
}

script_thread::call_end script_thread::try_and_wait(const blocking_call& call) noexcept {
  for (;;) {
    if (call.attempt(call.context)) return call_end::done;
    if (is_ended()) return call_end::refused;
    ::timespec left{};
    const ::timespec* timeout = nullptr;
    if (call.deadline != no_deadline) {
      const auto time = call.deadline - posix_platform::now();
      if (time <= posix_platform::duration::zero()) return call_end::done;
      const auto whole = std::chrono::floor<std::chrono::seconds>(time);
      left.tv_sec = static_cast<std::time_t>(whole.count());
      left.tv_nsec = static_cast<long>(std::chrono::nanoseconds(time - whole).count());
      timeout = &left;
    }
    std::array<::pollfd, 2> watched{{{wake_up_, POLLIN, 0}, {call.descriptor, call.events, 0}}};
    // A signal handler that ends the call is none of its concern: what is meant for it wakes it up.
    if (::ppoll(watched.data(), watched.size(), timeout, nullptr) <= 0) continue;
    if (watched[0].revents == 0) continue;
    std::uint64_t count = 0;
    [[maybe_unused]] const auto size = ::read(wake_up_, &count, sizeof count);
    return call_end::interrupted;
  }
}

// Coroutines: hooks belong to a Lua thread, and so the one that runs must be known ------------------

/// Calls the function that is the first upvalue with all that is on the stack, while `inner` runs.
int call_inside(lua_State* outer, lua_State* inner) {
  lua_pushvalue(outer, lua_upvalueindex(1));
  lua_insert(outer, 1);
  auto& self = script_thread::of_caller();
  self.enter(inner);
  const int status = lua_pcall(outer, lua_gettop(outer) - 1, LUA_MULTRET, 0);
  self.enter(outer);
  return status == LUA_OK ? lua_gettop(outer) : lua_error(outer);
}

namespace {

// coroutine.resume and coroutine.close.
int call_with_coroutine(lua_State* state) {
  luaL_checktype(state, 1, LUA_TTHREAD);
  return call_inside(state, lua_tothread(state, 1));
}

int call_wrapped(lua_State* state) {
  return call_inside(state, lua_tothread(state, lua_upvalueindex(2)));
}

int wrap_coroutine(lua_State* state) {
  lua_settop(state, 1);
  lua_pushvalue(state, lua_upvalueindex(1));
  lua_insert(state, 1);
  lua_call(state, 1, 1);
  lua_getupvalue(state, -1, 1);  // the coroutine, in Lua's own closure
  lua_pushcclosure(state, call_wrapped, 2);
  return 1;
}

/// Puts a closure over what is there in the place of a field of the table on the top.
void replace_field(lua_State* state, const char* name, lua_CFunction function) {
  lua_getfield(state, -1, name);
  lua_pushcclosure(state, function, 1);
  lua_setfield(state, -2, name);
}

int open_libraries(lua_State* state) {
  luaL_openlibs(state);
  lua_gc(state, LUA_GCGEN, 0, 0);  // as the stand-alone interpreter
  lua_getglobal(state, LUA_COLIBNAME);
  replace_field(state, "resume", call_with_coroutine);
  replace_field(state, "close", call_with_coroutine);
  replace_field(state, "wrap", wrap_coroutine);
  lua_getglobal(state, LUA_DBLIBNAME);
  lua_pushnil(state);
  lua_setfield(state, -2, "sethook");
  lua_pop(state, 2);
  open_io(state);
  return 0;
}

}  // namespace

// The universe -------------------------------------------------------------------------------------

universe::universe(checkpoints way)
    : way_(way),
      main_(luaL_newstate(), lua_close),
      closer_(threads_.emplace_back(*this, main_.get())) {
  if (main_ == nullptr) throw std::bad_alloc();
  lua_pushcfunction(main_.get(), open_libraries);
  if (lua_pcall(main_.get(), 0, 0, 0) != LUA_OK) throw std::bad_alloc();
  if (way == checkpoints::counted) {  // all others inherit it
    lua_sethook(main_.get(), script_thread::hook, LUA_MASKCOUNT, hook_period);
    return;
  }
  static const bool handled = [] {
    struct ::sigaction action {};
    action.sa_handler = script_thread::handle_push;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigfillset(&action.sa_mask);
    return ::sigaction(push_signal, &action, nullptr) == 0;
  }();
  static_cast<void>(handled);
}

/// The calling thread's place among the threads of a universe, and that of its universe in the thread.
class universe::place {
public:
  place(script_thread& self, state& here) noexcept
      : frame_(here.frame),
        outer_frame_(frame_.exchange(&self)),
        self_(self),
        outer_(script_thread::of_this_thread_.exchange(&self, std::memory_order_relaxed)) {}
  place(const place&) = delete;
  place& operator=(const place&) = delete;
  ~place() {
    script_thread::of_this_thread_.store(outer_, std::memory_order_relaxed);
    frame_.store(outer_frame_);
    ::close(self_.wake_up_);
  }

private:
  std::atomic_ref<void*> frame_;  // whoever pushes reads it
  void* outer_frame_;
  script_thread& self_;
  script_thread* outer_;
};

void universe::run_attached(state& here, const std::function<void(script_thread&)>& body) {
  if (way_ == checkpoints::pushed && !reminder_.joinable())
    reminder_ = std::thread([this] { remind(); });
  auto* const mine = lua_newthread(main_.get());
  const int reference = luaL_ref(main_.get(), LUA_REGISTRYINDEX);
  auto& self = threads_.emplace_back(*this, mine);
  {
    const place inside(self, here);
    body(self);
  }
  luaL_unref(main_.get(), LUA_REGISTRYINDEX, reference);
}

void universe::close_attached(state& here) noexcept {
  const place inside(closer_, here);
  main_.reset();
}

void universe::push_to(state* here) noexcept {
  if (here == nullptr) return;  // whoever begins to run finds out
  const auto frame = std::atomic_ref<void*>(here->frame).load();
  if (frame != nullptr) static_cast<script_thread*>(frame)->push();
  reminder_sleeps_.unpark().wake();
}

void universe::remind() {
  // Relaxed: the token that comes with it orders it.
  while (!closing_.load(std::memory_order_relaxed)) {
    reminder_sleeps_.park();
    std::this_thread::sleep_for(reminder_period);
    if (reasons().any()) push();
  }
}

void universe::stop_reminding() noexcept {
  closing_.store(true, std::memory_order_relaxed);
  reminder_sleeps_.unpark().wake();
  if (reminder_.joinable()) reminder_.join();
}

}  // namespace conch::lua
