// SPDX-License-Identifier: MIT
#pragma once

// NOLINTBEGIN(modernize-*,readability-identifier-naming): this is C.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// What an interpreter in C needs around its lock: the classes of conch/runtime/ as functions of C11.
/// One file of the program in C++ makes them over one lock; see conch/c/implementation.hpp.
///
/// A thread attaches to a runtime, and from then on it runs whenever it holds the runtime's lock; one
/// thread runs at a time. Around what may block it lets go. Every few instructions it comes to a
/// checkpoint. The thread that created the runtime is the main thread.
///
/// In all that follows:
///   - Functions are for a thread that runs, unless they say otherwise; another one gets
///     CONCH_NOT_RUNNING, and nothing has happened.
///   - Pointers must not be NULL unless it is said. Contexts and arguments of callbacks may be.
///   - Callbacks must return: they must not leave by longjmp(), pthread_exit() or an exception of C++.
///   - Broken preconditions end the program with a line on the error stream where they are noticed.
///   - Nothing here changes errno, except for a callback that does.

#if defined(__cplusplus) && __cplusplus >= 201703L
#define CONCH_NOEXCEPT noexcept
#else
#define CONCH_NOEXCEPT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/// How a function ended. Less than 0: it did not do what was asked, or the thread is to stop.
typedef enum conch_result {
  CONCH_OK = 0,
  CONCH_SWITCHED = 1,           ///< done, and another thread ran in between
  CONCH_TIMED_OUT = 2,          ///< the deadline has come
  CONCH_INTERRUPTED = 3,        ///< there is something to do at a checkpoint, mostly
  CONCH_CALL_FAILED = -1,       ///< a pending call returned something other than 0
  CONCH_HANDLER_FAILED = -2,    ///< the handler of a signal did
  CONCH_USER_BITS_FAILED = -3,  ///< on_user_bits() did
  CONCH_EXCEPTION_RAISED = -4,  ///< another thread has raised an exception in this one
  CONCH_STOP_REQUESTED = -5,    ///< all threads are to stop
  CONCH_FINALIZED = -6,         ///< the runtime was finalised, and the thread is attached no more
  CONCH_FULL = -7,              ///< no room for another pending call
  CONCH_NOT_RUNNING = -8,       ///< the caller does not run
  CONCH_NOT_ATTACHED = -9,      ///< no such thread is attached
  CONCH_RECURSION_LIMIT = -10,  ///< the thread has reached its limit
  CONCH_INVALID_ARGUMENT = -11,
  CONCH_BUSY = -12,  ///< somebody else has the signal; threads are attached
  CONCH_NO_MEMORY = -13
} conch_result;

/// What a result says, in a few words. Any thread.
const char* conch_message(conch_result result) CONCH_NOEXCEPT;

/// Everything that an interpreter needs around its lock: conch::runtime.
typedef struct conch_runtime conch_runtime;

/// What becomes of a thread that comes back to a runtime that was finalised.
typedef enum conch_finalized_threads {
  CONCH_PARK = 0,         ///< it sleeps for ever
  CONCH_RETURN_ERROR = 1  ///< it gets CONCH_FINALIZED
} conch_finalized_threads;

/// All 0 is a valid configuration.
typedef struct conch_config {
  conch_finalized_threads when_finalized;  ///< see there
  uint32_t recursion_limit;                ///< of each thread that attaches; 0 is 1000

  /// Called when the breaker leaves zero, and when a thread begins to run or ends a checkpoint while it
  /// is not zero: on that thread or the one that asks, perhaps in a signal handler and with the lock's
  /// internal mutex held. It must not block or touch the runtime, except for conch_current(): the thread
  /// that is to be stopped. NULL: nobody is pushed.
  void (*push)(void* context) CONCH_NOEXCEPT;
  void* push_context;  ///< the last argument of push

  /// Called at a checkpoint with the user bits that were set, and which are clear now. Fails by
  /// returning anything but 0. NULL: the bits are cleared.
  int (*on_user_bits)(void* context, uint32_t bits) CONCH_NOEXCEPT;
  void* user_context;  ///< the first argument of on_user_bits
} conch_config;

/// Any thread: makes a runtime, whose main thread the caller is; it is not attached yet. `config` may
/// be NULL, which is all 0. CONCH_NO_MEMORY.
conch_result conch_create(const conch_config* config, conch_runtime** runtime) CONCH_NOEXCEPT;

/// Any thread that does not run. CONCH_BUSY, and nothing has happened, if threads are attached and the
/// runtime was not finalised. If it was, they may come back later, and are turned away then: the
/// runtime's memory stays. Precondition: no thread forks meanwhile, and threads that were turned away have
/// called conch_detach() for all that they had attached.
conch_result conch_destroy(conch_runtime* runtime) CONCH_NOEXCEPT;

// Threads ----------------------------------------------------------------------------------------

/// A thread's registration, in the caller's memory, where it must stay.
typedef struct conch_attachment {
  void* opaque[3];  ///< not for the caller
} conch_attachment;

/// Any thread: from here to conch_detach() it is attached, and runs except where it lets go. One inside
/// another counts as one that is deeper, also where the thread has let go. Blocks until the thread
/// runs. CONCH_FINALIZED and CONCH_NO_MEMORY: there is nothing to detach. CPython's
/// PyGILState_Ensure().
conch_result conch_attach(conch_runtime* runtime, conch_attachment* attachment) CONCH_NOEXCEPT;

/// The end of a registration: what was before it is restored. Precondition: the caller made it, and runs
/// (or was turned away from a finalised runtime, and then it does nothing). O(threads) where it is the
/// thread's last. CPython's PyGILState_Release().
void conch_detach(conch_attachment* attachment) CONCH_NOEXCEPT;

/// Ends another thread's blocking call: called by the thread that interrupts, perhaps in a signal
/// handler. It must make the call that goes on now, or that is about to begin, return soon: writing to a
/// pipe that the call also waits for does, a plain signal does not.
typedef void (*conch_unblock_function)(void* argument) CONCH_NOEXCEPT;

/// Where a thread has let go, in the caller's memory, where it must stay.
typedef struct conch_released {
  void* opaque[5];  ///< not for the caller
} conch_released;

/// Lets go, whatever the nesting: from here to conch_acquire() the thread may block, and others run. A
/// signal makes a system call of the main thread fail with EINTR, if it has begun.
conch_result conch_release(conch_runtime* runtime, conch_released* region) CONCH_NOEXCEPT;

/// The same around a call that `unblock` ends: an interrupt (a signal for the main thread, an exception
/// that another thread raises) calls it, also again if one comes, or still stands, when the call goes on
/// after a callback that attached; not after conch_acquire().
conch_result conch_release_unblockable(conch_runtime* runtime, conch_released* region,
                                       conch_unblock_function unblock,
                                       void* argument) CONCH_NOEXCEPT;

/// Any thread: the end of the region, which the caller began. Blocks until the thread runs.
/// CONCH_FINALIZED: the region is over, and the thread does not run.
conch_result conch_acquire(conch_released* region) CONCH_NOEXCEPT;

/// Makes a call that mostly returns at once. Over a lock that any thread may unlock, the thread lets go
/// only if the call takes long and another one wants to run; over others it lets go at once.
/// CONCH_FINALIZED: the call was made, and the thread does not run.
conch_result conch_released_if_slow(conch_runtime* runtime,
                                    void (*call)(void* argument) CONCH_NOEXCEPT,
                                    void* argument) CONCH_NOEXCEPT;

/// Any thread: whether it runs.
bool conch_is_running(const conch_runtime* runtime) CONCH_NOEXCEPT;
/// Any thread: whether it is the main thread, and attached.
bool conch_is_main_thread(const conch_runtime* runtime) CONCH_NOEXCEPT;

// Checkpoints ------------------------------------------------------------------------------------

/// The word to be looked at with conch_is_asked(). Any thread; as long as the runtime lives. Over a lock
/// that counts checkpoints (tick_gil) it is never 0.
const uint32_t* conch_breaker_word(conch_runtime* runtime) CONCH_NOEXCEPT;

/// Any thread: whether conch_checkpoint() is to be called. One relaxed load.
static inline bool conch_is_asked(const uint32_t* breaker_word) {
  return __atomic_load_n(breaker_word, __ATOMIC_RELAXED) != 0;
}

/// Does what others want of the caller. CONCH_OK; CONCH_SWITCHED; or the first that failed of what it
/// did, and what was not done by then is done at the next checkpoint: CONCH_HANDLER_FAILED,
/// CONCH_CALL_FAILED, CONCH_USER_BITS_FAILED, CONCH_STOP_REQUESTED, CONCH_EXCEPTION_RAISED;
/// CONCH_FINALIZED. With CONCH_EXCEPTION_RAISED, what was raised is stored in *exception, unless that
/// is NULL.
conch_result conch_checkpoint(conch_runtime* runtime, void** exception) CONCH_NOEXCEPT;

/// Lets another thread run, if one waits: CONCH_SWITCHED if one did. CONCH_FINALIZED.
conch_result conch_yield(conch_runtime* runtime) CONCH_NOEXCEPT;

// What others may want ---------------------------------------------------------------------------

/// The host's own bits of the breaker, for n from 0 to 15.
#define CONCH_USER_BIT(n) (UINT32_C(1) << (16 + (n)))
#define CONCH_ALL_USER_BITS UINT32_C(0xFFFF0000)

/// Any thread; async-signal-safe if the push function is. CONCH_INVALID_ARGUMENT for bits that are not
/// the host's.
conch_result conch_set_user_bits(conch_runtime* runtime, uint32_t bits) CONCH_NOEXCEPT;
/// Any thread: clears these bits of the host's, and returns those of them that were set.
uint32_t conch_take_user_bits(conch_runtime* runtime, uint32_t bits) CONCH_NOEXCEPT;

/// On which thread a pending call runs.
typedef enum conch_run_on { CONCH_ANY_THREAD = 0, CONCH_MAIN_THREAD = 1 } conch_run_on;

/// Any thread; async-signal-safe if the push function is. Has a call made at a checkpoint; one that
/// returns anything but 0 has failed, and those behind it wait for the next. Calls are not made inside
/// each other. CONCH_FULL.
conch_result conch_add_pending_call(conch_runtime* runtime,
                                    int (*call)(void* argument) CONCH_NOEXCEPT, void* argument,
                                    conch_run_on where) CONCH_NOEXCEPT;

/// From now on, the signal has the handler run on the main thread at its next checkpoint; a main thread
/// that blocks in a system call gets EINTR, and one that can be unblocked is. It fails by returning
/// anything but 0. NULL gives the signal back. CONCH_INVALID_ARGUMENT for a number that is none, or of a
/// signal that cannot be caught; CONCH_BUSY if another runtime has it. The main thread must not end while
/// a signal has a handler.
conch_result conch_on_signal(conch_runtime* runtime, int signo,
                             int (*handler)(void* context, int signo) CONCH_NOEXCEPT,
                             void* context) CONCH_NOEXCEPT;

/// Async-signal-safe: as if the signal had come to the main thread, which is the only one to call it in
/// a program with signals. CONCH_INVALID_ARGUMENT for a number that is none.
conch_result conch_signal_arrived(conch_runtime* runtime, int signo) CONCH_NOEXCEPT;

/// A live thread: pthread_self() as a number.
typedef uintptr_t conch_thread_id;
/// Any thread: its own.
conch_thread_id conch_this_thread(void) CONCH_NOEXCEPT;

/// Has the thread's next checkpoint return CONCH_EXCEPTION_RAISED with this exception, and wakes it if
/// it can be unblocked. What an exception is, and how long it lives, is the host's: one that did not get
/// there yet is replaced, and one whose thread ends is dropped. CONCH_NOT_ATTACHED. O(threads).
conch_result conch_raise_in(conch_runtime* runtime, conch_thread_id thread,
                            void* exception) CONCH_NOEXCEPT;
/// The same for every attached thread but the caller. O(threads).
conch_result conch_terminate(conch_runtime* runtime, void* exception) CONCH_NOEXCEPT;

/// Any thread; async-signal-safe if the push function is. Has the next checkpoint of each attached
/// thread return CONCH_STOP_REQUESTED. Where no thread runs, the main one is woken for it if it can be
/// unblocked.
void conch_request_stop(conch_runtime* runtime) CONCH_NOEXCEPT;

// Forks ------------------------------------------------------------------------------------------

/// Has the next three called for each fork of the process. Precondition: no thread forks meanwhile.
/// CONCH_NO_MEMORY.
conch_result conch_follow_forks(conch_runtime* runtime) CONCH_NOEXCEPT;
/// Any thread, right before fork(). Blocks until no other thread runs.
void conch_before_fork(conch_runtime* runtime) CONCH_NOEXCEPT;
/// The same thread, right after fork() in the parent, and if it failed.
void conch_after_fork_in_parent(conch_runtime* runtime) CONCH_NOEXCEPT;
/// The same thread, right after fork() in the child: it runs if it did before, and is the main thread;
/// all other threads, pending calls and signals are gone.
void conch_after_fork_in_child(conch_runtime* runtime) CONCH_NOEXCEPT;

// The end ----------------------------------------------------------------------------------------

/// From now on no thread but the caller runs: one that comes back sleeps for ever or gets
/// CONCH_FINALIZED, as configured.
conch_result conch_finalize(conch_runtime* runtime) CONCH_NOEXCEPT;
/// Any thread.
bool conch_is_finalized(const conch_runtime* runtime) CONCH_NOEXCEPT;

// Conditions -------------------------------------------------------------------------------------

/// Where threads of a runtime wait for something that other threads of it bring about. The runtime's
/// lock guards it, as it guards what is waited for.
typedef struct conch_condition conch_condition;

/// Nanoseconds of the monotonic clock (CLOCK_MONOTONIC).
typedef int64_t conch_time;
#define CONCH_NO_DEADLINE INT64_MAX
/// Any thread.
conch_time conch_now(void) CONCH_NOEXCEPT;

/// Any thread. CONCH_NO_MEMORY.
conch_result conch_condition_create(conch_runtime* runtime,
                                    conch_condition** condition) CONCH_NOEXCEPT;
/// Any thread. Precondition: no thread waits. NULL does nothing.
void conch_condition_destroy(conch_condition* condition) CONCH_NOEXCEPT;

/// Lets go until the thread is notified (CONCH_OK) or interrupted (CONCH_INTERRUPTED), or until the
/// deadline (CONCH_TIMED_OUT). An interrupted thread calls conch_checkpoint() and, as a rule, waits
/// again. CONCH_FINALIZED.
conch_result conch_wait_until(conch_condition* condition, conch_time deadline) CONCH_NOEXCEPT;
/// Wakes the thread that has waited longest.
conch_result conch_notify_one(conch_condition* condition) CONCH_NOEXCEPT;
/// Wakes all that wait. O(those).
conch_result conch_notify_all(conch_condition* condition) CONCH_NOEXCEPT;

// Thread states ----------------------------------------------------------------------------------

/// What a runtime knows of one thread. It lives from the thread's first attachment to the end of that.
/// Its functions are for the thread itself, or for whoever runs, and do not check that.
typedef struct conch_thread conch_thread;

/// Any thread: the state of the thread that runs now, NULL if none does. A snapshot, except for the
/// thread that runs.
conch_thread* conch_current(const conch_runtime* runtime) CONCH_NOEXCEPT;

/// The interpreter's own: where this thread is in the program that it interprets. NULL at first.
void* conch_frame(const conch_thread* thread) CONCH_NOEXCEPT;
void conch_set_frame(conch_thread* thread, void* frame) CONCH_NOEXCEPT;

/// One call deeper. CONCH_RECURSION_LIMIT, and nothing has changed, at the limit.
conch_result conch_descend(conch_thread* thread) CONCH_NOEXCEPT;
/// Back from there.
void conch_ascend(conch_thread* thread) CONCH_NOEXCEPT;
uint32_t conch_depth(const conch_thread* thread) CONCH_NOEXCEPT;
uint32_t conch_recursion_limit(const conch_thread* thread) CONCH_NOEXCEPT;
/// One below the present depth takes effect when the thread has returned from there.
void conch_set_recursion_limit(conch_thread* thread, uint32_t calls) CONCH_NOEXCEPT;

conch_thread_id conch_id(const conch_thread* thread) CONCH_NOEXCEPT;
/// How many of its checkpoints had something to do.
uint64_t conch_ticks(const conch_thread* thread) CONCH_NOEXCEPT;
/// How many attachments the thread has, one inside the other.
uint32_t conch_nesting(const conch_thread* thread) CONCH_NOEXCEPT;

// Monitoring -------------------------------------------------------------------------------------

/// What a lock tells its observer; conch::lock_event.
typedef enum conch_event {
  CONCH_EVENT_ACQUIRED,
  CONCH_EVENT_RELEASED,
  CONCH_EVENT_WAIT_STARTED,
  CONCH_EVENT_WAIT_ABANDONED,
  CONCH_EVENT_VAIN_WAKEUP,
  CONCH_EVENT_DROP_REQUESTED,
  CONCH_EVENT_FORCED_SWITCH,
  CONCH_EVENT_HANDOFF,
  CONCH_EVENT_STOLEN,
  CONCH_EVENT_HEIR_NAMED,
  CONCH_EVENT_LENT,
  CONCH_EVENT_ALARM_PASSED,
  CONCH_EVENT_CALLED
} conch_event;
#define CONCH_EVENT_COUNT 13

/// A snapshot of a runtime and its lock.
typedef struct conch_stats {
  size_t threads;                      ///< attached
  size_t waiters;                      ///< for the lock, a snapshot
  bool is_locked;                      ///< whether a thread runs
  bool counts_events;                  ///< the lock's observer is conch::event_counter
  uint64_t events[CONCH_EVENT_COUNT];  ///< by conch_event; all 0 unless it counts them
} conch_stats;

/// O(threads).
conch_result conch_get_stats(conch_runtime* runtime, conch_stats* stats) CONCH_NOEXCEPT;

/// Lock and threads in words, for the moment when a program hangs. Writes as much of it as fits, with a
/// 0 at the end, and returns the length of the whole, as snprintf() does: `buffer` may be NULL if `size`
/// is 0. Less than 0 is a conch_result: CONCH_NO_MEMORY. O(threads).
int conch_describe(conch_runtime* runtime, char* buffer, size_t size) CONCH_NOEXCEPT;

#ifdef __cplusplus
}
#endif

// NOLINTEND(modernize-*,readability-identifier-naming)
