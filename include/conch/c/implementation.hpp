// SPDX-License-Identifier: MIT
#pragma once

#include <conch/c/conch.h>
#include <conch/observer.hpp>
#include <conch/runtime/condition.hpp>
#include <conch/runtime/runtime.hpp>
#include <conch/stats.hpp>

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

// The functions of conch/c/conch.h, over one lock for the whole program. One file of it in C++ names
// the lock (its header included before), and includes this one:
//
//     #include <conch/fmq_lock.hpp>
//     #define CONCH_C_LOCK conch::fmq_lock
//     #include <conch/c/implementation.hpp>
//
// Where no lock is named it is fmq_lock.
#if !defined(CONCH_C_LOCK)
#include <conch/fmq_lock.hpp>
#define CONCH_C_LOCK conch::fmq_lock
#endif

namespace conch::c {

using lock = CONCH_C_LOCK;
using kit = conch::runtime<lock>;
using state = kit::state;
using attachment_of_kit = conch::attachment<lock>;
using released_by_kit = conch::released<lock>;
using condition_of_kit = conch::condition<lock>;

// A callback of C that fails, or an exception that was raised, on its way through a checkpoint.
struct failure {
  conch_result result;
  void* exception = nullptr;
};

// What body() returns, or what it throws, as C has it. Anything else that it throws comes from a
// contract handler, and ends the program.
template <class Body>
conch_result result_of(Body body, void** exception = nullptr) noexcept {
  try {
    return body();
  } catch (const failure& f) {
    if (f.result == CONCH_EXCEPTION_RAISED && exception != nullptr) *exception = f.exception;
    return f.result;
  } catch (const pending_call_failed&) {
    return CONCH_CALL_FAILED;
  } catch (const stop_requested&) {
    return CONCH_STOP_REQUESTED;
  } catch (const runtime_finalized&) {
    return CONCH_FINALIZED;
  } catch (const std::bad_alloc&) {
    return CONCH_NO_MEMORY;
  } catch (const std::invalid_argument&) {
    return CONCH_INVALID_ARGUMENT;
  } catch (const std::system_error& e) {
    if (e.code() == std::errc::device_or_resource_busy) return CONCH_BUSY;
    return e.code() == std::errc::not_enough_memory ? CONCH_NO_MEMORY : CONCH_INVALID_ARGUMENT;
  }
}

// The same for a function that only a thread which runs may call.
template <class Body>
conch_result if_running(const kit& runtime, Body body, void** exception = nullptr) noexcept {
  if (!runtime.is_running()) return CONCH_NOT_RUNNING;
  return result_of(body, exception);
}

constexpr conch_result switched_if(bool switched) { return switched ? CONCH_SWITCHED : CONCH_OK; }

inline std::exception_ptr exception_of(void* exception) noexcept {
  return std::make_exception_ptr(failure{CONCH_EXCEPTION_RAISED, exception});
}

// A scope of C++ that lives in memory of C's, where a C function begins it and another one ends it.
template <class Scope, class Memory, class... Arguments>
void begin(Memory* memory, Arguments&&... arguments) {
  static_assert(sizeof(Scope) <= sizeof(Memory));
  static_assert(alignof(Scope) <= alignof(Memory));
  ::new (static_cast<void*>(memory)) Scope(std::forward<Arguments>(arguments)...);
}
template <class Scope, class Memory>
void end(Memory* memory) {
  std::launder(reinterpret_cast<Scope*>(memory))->~Scope();
}

inline state* of(conch_thread* thread) noexcept { return reinterpret_cast<state*>(thread); }
inline const state* of(const conch_thread* thread) noexcept {
  return reinterpret_cast<const state*>(thread);
}

constexpr bool is_signal(int signo) { return signo >= 1 && signo <= posix_process::most_signals; }

template <class Lock>
concept counts_events = requires(Lock& l) {
  { l.observer() } -> std::same_as<event_counter&>;
};

template <class Lock>
void count_events(Lock& of, conch_stats& stats) {
  static_assert(CONCH_EVENT_COUNT == lock_event_count);
  static_assert(CONCH_EVENT_CALLED == static_cast<int>(lock_event::called));
  if constexpr (counts_events<Lock>) {
    stats.counts_events = true;
    for (std::size_t i = 0; i < lock_event_count; ++i)
      stats.events[i] = of.observer()[static_cast<lock_event>(i)];
  }
}

}  // namespace conch::c

struct conch_runtime {
  conch_config config;
  conch::c::kit kit;

  explicit conch_runtime(const conch_config& c) : config(c), kit(config_of_kit()) {}

private:
  conch::runtime_config config_of_kit() noexcept {
    conch::runtime_config result;
    if (config.when_finalized == CONCH_RETURN_ERROR)
      result.when_finalized = conch::finalized_threads::throw_error;
    if (config.recursion_limit != 0) result.recursion_limit = config.recursion_limit;
    result.push = config.push;
    result.push_context = config.push_context;
    if (config.on_user_bits != nullptr)
      result.on_user_bits = [](void* self, std::uint32_t bits) {
        const auto& c = static_cast<conch_runtime*>(self)->config;
        if (c.on_user_bits(c.user_context, bits) != 0)
          throw conch::c::failure{CONCH_USER_BITS_FAILED};
      };
    result.user_context = this;
    return result;
  }
};

struct conch_condition {
  conch::c::kit& kit;
  conch::c::condition_of_kit native;

  explicit conch_condition(conch::c::kit& owner) : kit(owner), native(owner) {}
};

namespace conch::c {

// NOLINTBEGIN(misc-definitions-in-headers): included once.
extern "C" {

const char* conch_message(conch_result result) noexcept {
  switch (result) {
    case CONCH_OK:
      return "done";
    case CONCH_SWITCHED:
      return "done, and another thread ran in between";
    case CONCH_TIMED_OUT:
      return "the deadline has come";
    case CONCH_INTERRUPTED:
      return "interrupted";
    case CONCH_CALL_FAILED:
      return "a pending call failed";
    case CONCH_HANDLER_FAILED:
      return "the handler of a signal failed";
    case CONCH_USER_BITS_FAILED:
      return "the function for user bits failed";
    case CONCH_EXCEPTION_RAISED:
      return "another thread has raised an exception";
    case CONCH_STOP_REQUESTED:
      return "stop requested";
    case CONCH_FINALIZED:
      return "the runtime was finalised";
    case CONCH_FULL:
      return "no room for another pending call";
    case CONCH_NOT_RUNNING:
      return "the thread does not run";
    case CONCH_NOT_ATTACHED:
      return "no such thread is attached";
    case CONCH_RECURSION_LIMIT:
      return "too many calls inside each other";
    case CONCH_INVALID_ARGUMENT:
      return "invalid argument";
    case CONCH_BUSY:
      return "in use";
    case CONCH_NO_MEMORY:
      return "no memory";
  }
  return "no such result";
}

conch_result conch_create(const conch_config* config, conch_runtime** runtime) noexcept {
  return result_of([=] {
    *runtime =
        std::make_unique<conch_runtime>(config != nullptr ? *config : conch_config{}).release();
    return CONCH_OK;
  });
}

conch_result conch_destroy(conch_runtime* runtime) noexcept {
  if (runtime->kit.is_running()) return CONCH_BUSY;
  if (!runtime->kit.has_threads())
    delete runtime;
  else if (runtime->kit.is_finalized())
    runtime->kit.leave_process();
  else
    return CONCH_BUSY;
  return CONCH_OK;
}

// Threads ----------------------------------------------------------------------------------------

conch_result conch_attach(conch_runtime* runtime, conch_attachment* attachment) noexcept {
  return result_of([=] {
    begin<attachment_of_kit>(attachment, runtime->kit);
    return CONCH_OK;
  });
}

void conch_detach(conch_attachment* attachment) noexcept { end<attachment_of_kit>(attachment); }

conch_result conch_release(conch_runtime* runtime, conch_released* region) noexcept {
  return if_running(runtime->kit, [=] {
    begin<released_by_kit>(region, runtime->kit);
    return CONCH_OK;
  });
}

conch_result conch_release_unblockable(conch_runtime* runtime, conch_released* region,
                                       conch_unblock_function unblock, void* argument) noexcept {
  return if_running(runtime->kit, [=] {
    begin<released_by_kit>(region, runtime->kit, unblock, argument);
    return CONCH_OK;
  });
}

conch_result conch_acquire(conch_released* region) noexcept {
  return result_of([=] {
    end<released_by_kit>(region);
    return CONCH_OK;
  });
}

conch_result conch_released_if_slow(conch_runtime* runtime, void (*call)(void* argument) noexcept,
                                    void* argument) noexcept {
  return if_running(runtime->kit, [=] {
    released_if_slow(runtime->kit, [=] { call(argument); });
    return CONCH_OK;
  });
}

bool conch_is_running(const conch_runtime* runtime) noexcept { return runtime->kit.is_running(); }
bool conch_is_main_thread(const conch_runtime* runtime) noexcept {
  return runtime->kit.is_main_thread();
}

// Checkpoints ------------------------------------------------------------------------------------

const std::uint32_t* conch_breaker_word(conch_runtime* runtime) noexcept {
  static constexpr std::uint32_t always = 1;
  if constexpr (kit::counts) return &always;
  // In C it is a plain integer that is looked at with an atomic load.
  using word = std::remove_cvref_t<decltype(runtime->kit.reasons().word())>;
  static_assert(word::is_always_lock_free && sizeof(word) == sizeof(std::uint32_t) &&
                std::is_standard_layout_v<word>);
  return reinterpret_cast<const std::uint32_t*>(&runtime->kit.reasons().word());
}

conch_result conch_checkpoint(conch_runtime* runtime, void** exception) noexcept {
  return if_running(
      runtime->kit, [=] { return switched_if(runtime->kit.checkpoint()); }, exception);
}

conch_result conch_yield(conch_runtime* runtime) noexcept {
  return if_running(runtime->kit, [=] { return switched_if(runtime->kit.yield()); });
}

// What others may want ---------------------------------------------------------------------------

conch_result conch_set_user_bits(conch_runtime* runtime, std::uint32_t bits) noexcept {
  static_assert(CONCH_ALL_USER_BITS == reason::all_user_bits &&
                CONCH_USER_BIT(15) == reason::user(15));
  if ((bits & ~CONCH_ALL_USER_BITS) != 0) return CONCH_INVALID_ARGUMENT;
  runtime->kit.reasons().set(bits);
  return CONCH_OK;
}

std::uint32_t conch_take_user_bits(conch_runtime* runtime, std::uint32_t bits) noexcept {
  return runtime->kit.reasons().take(bits & CONCH_ALL_USER_BITS);
}

conch_result conch_add_pending_call(conch_runtime* runtime, int (*call)(void* argument) noexcept,
                                    void* argument, conch_run_on where) noexcept {
  const pending_call c{.argument = argument, .c_function = call};
  const auto on = where == CONCH_MAIN_THREAD ? run_on::main_thread : run_on::any_thread;
  return runtime->kit.add_pending_call(c, on) ? CONCH_OK : CONCH_FULL;
}

conch_result conch_on_signal(conch_runtime* runtime, int signo,
                             int (*handler)(void* context, int signo) noexcept,
                             void* context) noexcept {
  return if_running(runtime->kit, [=] {
    kit::signal_handler native;
    if (handler != nullptr)
      native = [handler, context](int arrived) {
        if (handler(context, arrived) != 0) throw failure{CONCH_HANDLER_FAILED};
      };
    runtime->kit.on_signal(signo, native);
    return CONCH_OK;
  });
}

conch_result conch_signal_arrived(conch_runtime* runtime, int signo) noexcept {
  if (!is_signal(signo)) return CONCH_INVALID_ARGUMENT;
  runtime->kit.signal_arrived(signo);
  return CONCH_OK;
}

conch_thread_id conch_this_thread() noexcept { return kit::platform::this_thread(); }

conch_result conch_raise_in(conch_runtime* runtime, conch_thread_id thread,
                            void* exception) noexcept {
  return if_running(runtime->kit, [=] {
    return runtime->kit.raise_in(thread, exception_of(exception)) ? CONCH_OK : CONCH_NOT_ATTACHED;
  });
}

conch_result conch_terminate(conch_runtime* runtime, void* exception) noexcept {
  return if_running(runtime->kit, [=] {
    runtime->kit.terminate(exception_of(exception));
    return CONCH_OK;
  });
}

void conch_request_stop(conch_runtime* runtime) noexcept { runtime->kit.request_stop(); }

// Forks ------------------------------------------------------------------------------------------

conch_result conch_follow_forks(conch_runtime* runtime) noexcept {
  return if_running(runtime->kit, [=] {
    runtime->kit.follow_forks();
    return CONCH_OK;
  });
}

void conch_before_fork(conch_runtime* runtime) noexcept { runtime->kit.before_fork(); }
void conch_after_fork_in_parent(conch_runtime* runtime) noexcept {
  runtime->kit.after_fork_in_parent();
}
void conch_after_fork_in_child(conch_runtime* runtime) noexcept {
  runtime->kit.after_fork_in_child();
}

// The end ----------------------------------------------------------------------------------------

conch_result conch_finalize(conch_runtime* runtime) noexcept {
  return if_running(runtime->kit, [=] {
    runtime->kit.finalize();
    return CONCH_OK;
  });
}

bool conch_is_finalized(const conch_runtime* runtime) noexcept {
  return runtime->kit.is_finalized();
}

// Conditions -------------------------------------------------------------------------------------

conch_time conch_now() noexcept {
  return std::chrono::nanoseconds(kit::platform::now().time_since_epoch()).count();
}

conch_result conch_condition_create(conch_runtime* runtime, conch_condition** condition) noexcept {
  return result_of([=] {
    *condition = std::make_unique<conch_condition>(runtime->kit).release();
    return CONCH_OK;
  });
}

void conch_condition_destroy(conch_condition* condition) noexcept { delete condition; }

conch_result conch_wait_until(conch_condition* condition, conch_time deadline) noexcept {
  return if_running(condition->kit, [=] {
    const kit::platform::time_point until{std::chrono::nanoseconds(deadline)};
    switch (condition->native.wait_until(until)) {
      case wait_result::notified:
        return CONCH_OK;
      case wait_result::timed_out:
        return CONCH_TIMED_OUT;
      case wait_result::interrupted:
        break;
    }
    return CONCH_INTERRUPTED;
  });
}

conch_result conch_notify_one(conch_condition* condition) noexcept {
  return if_running(condition->kit, [=] {
    condition->native.notify_one();
    return CONCH_OK;
  });
}

conch_result conch_notify_all(conch_condition* condition) noexcept {
  return if_running(condition->kit, [=] {
    condition->native.notify_all();
    return CONCH_OK;
  });
}

// Thread states ----------------------------------------------------------------------------------

conch_thread* conch_current(const conch_runtime* runtime) noexcept {
  return reinterpret_cast<conch_thread*>(runtime->kit.current());
}

void* conch_frame(const conch_thread* thread) noexcept { return of(thread)->frame; }
void conch_set_frame(conch_thread* thread, void* frame) noexcept { of(thread)->frame = frame; }

conch_result conch_descend(conch_thread* thread) noexcept {
  return of(thread)->descend() ? CONCH_OK : CONCH_RECURSION_LIMIT;
}
void conch_ascend(conch_thread* thread) noexcept { of(thread)->ascend(); }
std::uint32_t conch_depth(const conch_thread* thread) noexcept { return of(thread)->depth(); }
std::uint32_t conch_recursion_limit(const conch_thread* thread) noexcept {
  return of(thread)->recursion_limit();
}
void conch_set_recursion_limit(conch_thread* thread, std::uint32_t calls) noexcept {
  of(thread)->set_recursion_limit(calls);
}

conch_thread_id conch_id(const conch_thread* thread) noexcept { return of(thread)->id(); }
std::uint64_t conch_ticks(const conch_thread* thread) noexcept { return of(thread)->ticks(); }
std::uint32_t conch_nesting(const conch_thread* thread) noexcept { return of(thread)->nesting(); }

// Monitoring -------------------------------------------------------------------------------------

conch_result conch_get_stats(conch_runtime* runtime, conch_stats* stats) noexcept {
  return if_running(runtime->kit, [=] {
    *stats = conch_stats{};
    stats->threads = runtime->kit.threads();
    stats->waiters = runtime->kit.lock().waiters();
    stats->is_locked = runtime->kit.lock().is_locked();
    count_events(runtime->kit.lock(), *stats);
    return CONCH_OK;
  });
}

int conch_describe(conch_runtime* runtime, char* buffer, std::size_t size) noexcept {
  int length = 0;
  const auto result = if_running(runtime->kit, [=, &length] {
    const auto text = runtime->kit.describe();
    length = static_cast<int>(text.size());
    if (size == 0) return CONCH_OK;
    const auto fits = std::min(text.size(), size - 1);
    std::memcpy(buffer, text.data(), fits);
    buffer[fits] = '\0';
    return CONCH_OK;
  });
  return result == CONCH_OK ? length : result;
}

}  // extern "C"
// NOLINTEND(misc-definitions-in-headers)

}  // namespace conch::c
