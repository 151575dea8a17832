// SPDX-License-Identifier: MIT
// The functions of conch/c/conch.h, called from C. The program prints what it has shown, line by line,
// and ends with 1 at the first thing that is not so.

#define _POSIX_C_SOURCE 200809L

#include <conch/c/conch.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      _Exit(1);                                                               \
    }                                                                         \
  } while (0)

#define CHECK_RESULT(call, expected)                                                         \
  do {                                                                                       \
    const conch_result result_ = (call);                                                     \
    if (result_ != (expected)) {                                                             \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, conch_message(result_)); \
      _Exit(1);                                                                              \
    }                                                                                        \
  } while (0)

#define CHECK_OK(call) CHECK_RESULT(call, CONCH_OK)
#define CHECK_NOT_FAILED(call) CHECK((call) >= CONCH_OK)

// What the threads of one test share; what is not said to be otherwise is guarded by the runtime's lock.
static conch_runtime* runtime;
static conch_condition* changed;
static bool ready;
static bool done;
static int count;
static sem_t gate;  // any thread
static int an_exception;
static pthread_mutex_t fork_is_over = PTHREAD_MUTEX_INITIALIZER;

static void create(const conch_config* config) {
  CHECK_OK(conch_create(config, &runtime));
  CHECK_OK(conch_condition_create(runtime, &changed));
  ready = false;
  done = false;
  count = 0;
  CHECK(sem_init(&gate, 0, 0) == 0);
}

static void destroy(void) {
  conch_condition_destroy(changed);
  CHECK_OK(conch_destroy(runtime));
  CHECK(sem_destroy(&gate) == 0);
}

static void pass_gate(void) {
  while (sem_wait(&gate) != 0) CHECK(errno == EINTR);
}
static void pass_gate_with(void* unused) {
  (void)unused;
  pass_gate();
}
static void open_gate(void) { CHECK(sem_post(&gate) == 0); }

static pthread_t start(void* (*function)(void*)) {
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, function, NULL) == 0);
  return thread;
}

/// One whose pthread_t is not that of a thread that ended at a fork, which ThreadSanitizer takes for
/// alive.
static pthread_t start_in_child(void* (*function)(void*)) {
  static _Alignas(4096) char stack[1 << 20];
  pthread_attr_t attributes;
  pthread_t thread;
  CHECK(pthread_attr_init(&attributes) == 0);
  CHECK(pthread_attr_setstack(&attributes, stack, sizeof stack) == 0);
  CHECK(pthread_create(&thread, &attributes, function, NULL) == 0);
  CHECK(pthread_attr_destroy(&attributes) == 0);
  return thread;
}

/// By a thread that runs.
static void join(pthread_t thread) {
  conch_released region;
  CHECK_OK(conch_release(runtime, &region));
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(conch_acquire(&region));
}

/// By a thread that runs: lets others run until one has set it.
static void run_others_until(const bool* set) {
  while (!*set) {
    conch_released region;
    CHECK_OK(conch_release(runtime, &region));
    sched_yield();
    CHECK_OK(conch_acquire(&region));
  }
}

// Threads ----------------------------------------------------------------------------------------

static void attachments_nest(void) {
  create(NULL);
  CHECK(!conch_is_running(runtime));
  CHECK(conch_current(runtime) == NULL);
  CHECK_RESULT(conch_yield(runtime), CONCH_NOT_RUNNING);
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_NOT_RUNNING);
  CHECK_RESULT(conch_finalize(runtime), CONCH_NOT_RUNNING);
  CHECK_RESULT(conch_notify_one(changed), CONCH_NOT_RUNNING);

  conch_attachment outer;
  CHECK_OK(conch_attach(runtime, &outer));
  CHECK(conch_is_running(runtime));
  CHECK(conch_is_main_thread(runtime));
  CHECK(conch_id(conch_current(runtime)) == conch_this_thread());
  CHECK(conch_nesting(conch_current(runtime)) == 1);
  CHECK_RESULT(conch_destroy(runtime), CONCH_BUSY);

  conch_attachment inner;
  CHECK_OK(conch_attach(runtime, &inner));
  CHECK(conch_nesting(conch_current(runtime)) == 2);
  conch_detach(&inner);
  CHECK(conch_is_running(runtime));

  conch_released region;
  CHECK_OK(conch_release(runtime, &region));
  CHECK(!conch_is_running(runtime));
  CHECK_RESULT(conch_release(runtime, &region), CONCH_NOT_RUNNING);
  CHECK_RESULT(conch_destroy(runtime), CONCH_BUSY);
  CHECK_OK(conch_attach(runtime, &inner));  // called back from outside
  CHECK(conch_nesting(conch_current(runtime)) == 2);
  conch_detach(&inner);
  CHECK(!conch_is_running(runtime));
  CHECK_OK(conch_acquire(&region));
  CHECK(conch_is_running(runtime));

  conch_detach(&outer);
  CHECK(!conch_is_running(runtime));
  CHECK(!conch_is_main_thread(runtime));
  destroy();
}

enum { steps = 20000 };

static void* count_steps(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  const uint32_t* const word = conch_breaker_word(runtime);
  for (int i = 0; i < steps; ++i) {
    count = count + 1;
    if (conch_is_asked(word)) CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  }
  conch_detach(&attachment);
  return unused;
}

static void one_thread_runs_at_a_time(void) {
  create(NULL);
  conch_attachment attachment;
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) threads[i] = start(count_steps);
  for (int i = 0; i < 4; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK(count == 4 * steps);
  CHECK(!conch_is_asked(conch_breaker_word(runtime)) ||
        conch_checkpoint(runtime, NULL) == CONCH_OK);
  conch_detach(&attachment);
  destroy();
}

static void* get_ready(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK(!conch_is_main_thread(runtime));
  ready = true;
  conch_detach(&attachment);
  return unused;
}

static void a_released_region_lets_others_run_and_keeps_errno(void) {
  create(NULL);
  conch_attachment outer;
  conch_attachment inner;
  CHECK_OK(conch_attach(runtime, &outer));
  CHECK_OK(conch_attach(runtime, &inner));
  const pthread_t other = start(get_ready);
  conch_released region;
  CHECK_OK(conch_release(runtime, &region));
  CHECK(pthread_join(other, NULL) == 0);
  errno = ERANGE;
  CHECK_OK(conch_acquire(&region));
  CHECK(errno == ERANGE);
  CHECK(ready);
  CHECK(conch_nesting(conch_current(runtime)) == 2);
  conch_detach(&inner);
  conch_detach(&outer);
  destroy();
}

static void join_it(void* thread) { CHECK(pthread_join(*(pthread_t*)thread, NULL) == 0); }

static void a_slow_call_lets_others_run(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  pthread_t other = start(get_ready);
  CHECK_OK(conch_released_if_slow(runtime, join_it, &other));
  CHECK(ready);
  CHECK(conch_is_running(runtime));
  conch_detach(&attachment);
  destroy();
}

static void a_thread_that_yields_lets_others_run(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_yield(runtime));  // there is nobody
  const pthread_t other = start(get_ready);
  bool switched = false;
  while (!switched) {
    const conch_result result = conch_yield(runtime);
    CHECK_NOT_FAILED(result);
    switched = result == CONCH_SWITCHED;
  }
  CHECK(ready);
  join(other);
  conch_detach(&attachment);
  destroy();
}

/// Not for a lock whose checkpoints let nobody in.
static void the_breaker_word_says_when_others_want_to_run(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  const uint32_t* const word = conch_breaker_word(runtime);
  const pthread_t other = start(get_ready);
  while (!ready)
    if (conch_is_asked(word)) CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  join(other);
  conch_detach(&attachment);
  destroy();
}

static void* make_a_slow_call(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  ready = true;
  CHECK_OK(conch_released_if_slow(runtime, pass_gate_with, NULL));
  conch_detach(&attachment);
  return unused;
}

static void a_thread_that_yields_does_not_wait_for_a_slow_call(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  const pthread_t other = start(make_a_slow_call);
  while (!ready) CHECK_NOT_FAILED(conch_yield(runtime));
  open_gate();
  join(other);
  conch_detach(&attachment);
  destroy();
}

static void a_thread_state_counts_calls_up_to_its_limit(void) {
  const conch_config config = {.recursion_limit = 2};
  create(&config);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_thread* const self = conch_current(runtime);
  CHECK(conch_frame(self) == NULL);
  conch_set_frame(self, &count);
  CHECK(conch_frame(self) == &count);
  CHECK(conch_recursion_limit(self) == 2);
  CHECK_OK(conch_descend(self));
  CHECK_OK(conch_descend(self));
  CHECK_RESULT(conch_descend(self), CONCH_RECURSION_LIMIT);
  CHECK(conch_depth(self) == 2);
  conch_set_recursion_limit(self, 3);
  CHECK_OK(conch_descend(self));
  conch_ascend(self);
  conch_ascend(self);
  CHECK(conch_depth(self) == 1);
  CHECK_OK(conch_set_user_bits(runtime, CONCH_USER_BIT(0)));
  const uint64_t ticks = conch_ticks(self);
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(conch_ticks(self) == ticks + 1);
  conch_detach(&attachment);

  CHECK_OK(conch_attach(runtime, &attachment));  // anew
  CHECK(conch_frame(conch_current(runtime)) == NULL);
  CHECK(conch_depth(conch_current(runtime)) == 0);
  conch_detach(&attachment);
  destroy();

  create(NULL);
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK(conch_recursion_limit(conch_current(runtime)) == 1000);
  conch_detach(&attachment);
  destroy();
}

// What others may want ---------------------------------------------------------------------------

static int add(void* number) {
  count = 10 * count + *(int*)number;
  return 0;
}
static int fail(void* number) {
  add(number);
  return 7;
}

static int one = 1;
static int two = 2;
static int three = 3;

static void a_pending_call_that_fails_ends_the_pass(void) {
  create(NULL);
  CHECK_OK(conch_add_pending_call(runtime, add, &one, CONCH_ANY_THREAD));
  CHECK_OK(conch_add_pending_call(runtime, fail, &two, CONCH_ANY_THREAD));
  CHECK_OK(conch_add_pending_call(runtime, add, &three, CONCH_ANY_THREAD));
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK(conch_is_asked(conch_breaker_word(runtime)));
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_CALL_FAILED);
  CHECK(count == 12);
  CHECK(conch_is_asked(conch_breaker_word(runtime)));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(count == 123);
  conch_detach(&attachment);
  destroy();
}

static int add_one(void* unused) {
  (void)unused;
  ++count;
  return 0;
}

static void a_full_queue_of_pending_calls_says_so(void) {
  create(NULL);
  int added = 0;
  conch_result result = CONCH_OK;
  while ((result = conch_add_pending_call(runtime, add_one, NULL, CONCH_ANY_THREAD)) == CONCH_OK)
    ++added;
  CHECK(result == CONCH_FULL);
  CHECK(added > 0);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(count == added);
  CHECK_OK(conch_add_pending_call(runtime, add_one, NULL, CONCH_ANY_THREAD));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  conch_detach(&attachment);
  destroy();
}

static int note_main_thread(void* unused) {
  (void)unused;
  done = conch_is_main_thread(runtime);
  return 0;
}

static void* come_to_a_checkpoint(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  ready = true;
  conch_detach(&attachment);
  return unused;
}

static void a_pending_call_for_the_main_thread_waits_for_it(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_add_pending_call(runtime, note_main_thread, NULL, CONCH_MAIN_THREAD));
  join(start(come_to_a_checkpoint));
  CHECK(ready);
  CHECK(!done);
  CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  CHECK(done);
  conch_detach(&attachment);
  destroy();
}

static int note_bits(void* context, uint32_t bits) {
  *(uint32_t*)context = bits;
  return bits == CONCH_USER_BIT(15);
}

static void* set_a_bit(void* unused) {
  CHECK_OK(conch_set_user_bits(runtime, CONCH_USER_BIT(3)));
  return unused;
}

static void user_bits_reach_the_thread_that_runs(void) {
  uint32_t noted = 0;
  const conch_config config = {.on_user_bits = note_bits, .user_context = &noted};
  create(&config);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  const uint32_t* const word = conch_breaker_word(runtime);
  const pthread_t other = start(set_a_bit);
  while (noted == 0)
    if (conch_is_asked(word)) CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(noted == CONCH_USER_BIT(3));
  join(other);

  CHECK_OK(conch_set_user_bits(runtime, CONCH_USER_BIT(0) | CONCH_USER_BIT(1)));
  CHECK(conch_take_user_bits(runtime, CONCH_USER_BIT(1) | CONCH_USER_BIT(2)) == CONCH_USER_BIT(1));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(noted == CONCH_USER_BIT(0));

  CHECK_OK(conch_set_user_bits(runtime, CONCH_USER_BIT(15)));
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_USER_BITS_FAILED);
  CHECK_RESULT(conch_set_user_bits(runtime, 1), CONCH_INVALID_ARGUMENT);
  CHECK_OK(conch_add_pending_call(runtime, add_one, NULL, CONCH_ANY_THREAD));
  CHECK(conch_take_user_bits(runtime, UINT32_MAX) == 0);  // the kit's own bits are not the host's
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(count == 1);
  conch_detach(&attachment);
  destroy();
}

static void note_push(void* context) { ++*(int*)context; }

static void the_host_is_pushed_when_the_breaker_leaves_zero(void) {
  int pushes = 0;
  const conch_config config = {.push = note_push, .push_context = &pushes};
  create(&config);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK(pushes == 0);
  CHECK_OK(conch_set_user_bits(runtime, CONCH_USER_BIT(0)));
  CHECK_OK(conch_set_user_bits(runtime, CONCH_USER_BIT(1)));
  CHECK(pushes == 1);
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK_OK(conch_add_pending_call(runtime, add_one, NULL, CONCH_ANY_THREAD));
  CHECK(pushes == 2);
  CHECK_OK(conch_checkpoint(runtime, NULL));
  conch_detach(&attachment);
  destroy();
}

// Signals ----------------------------------------------------------------------------------------

static int note_signal(void* context, int signo) {
  *(int*)context = signo;
  CHECK(conch_is_running(runtime));
  return signo == SIGUSR2;
}

static bool is_default(int signo) {
  struct sigaction action;
  CHECK(sigaction(signo, NULL, &action) == 0);
  return action.sa_handler == SIG_DFL;
}

static void the_handler_of_a_signal_runs_at_a_checkpoint(void) {
  create(NULL);
  int noted = 0;
  CHECK_RESULT(conch_on_signal(runtime, SIGUSR1, note_signal, &noted), CONCH_NOT_RUNNING);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_on_signal(runtime, SIGUSR1, note_signal, &noted));
  CHECK_OK(conch_on_signal(runtime, SIGUSR2, note_signal, &noted));
  CHECK(raise(SIGUSR1) == 0);
  CHECK(noted == 0);
  CHECK(conch_is_asked(conch_breaker_word(runtime)));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(noted == SIGUSR1);
  CHECK_OK(conch_signal_arrived(runtime, SIGUSR2));
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_HANDLER_FAILED);
  CHECK(noted == SIGUSR2);

  CHECK_RESULT(conch_on_signal(runtime, 0, note_signal, NULL), CONCH_INVALID_ARGUMENT);
  CHECK_RESULT(conch_on_signal(runtime, 65, NULL, NULL), CONCH_INVALID_ARGUMENT);
  CHECK_RESULT(conch_on_signal(runtime, SIGKILL, note_signal, NULL), CONCH_INVALID_ARGUMENT);
  CHECK_RESULT(conch_signal_arrived(runtime, 65), CONCH_INVALID_ARGUMENT);

  conch_runtime* other = NULL;
  conch_attachment with_other;
  CHECK_OK(conch_create(NULL, &other));
  CHECK_OK(conch_attach(other, &with_other));
  CHECK_RESULT(conch_on_signal(other, SIGUSR1, note_signal, NULL), CONCH_BUSY);
  conch_detach(&with_other);
  CHECK_OK(conch_destroy(other));

  CHECK_OK(conch_on_signal(runtime, SIGUSR1, NULL, NULL));
  CHECK(is_default(SIGUSR1));
  CHECK(!is_default(SIGUSR2));
  conch_detach(&attachment);
  destroy();
  CHECK(is_default(SIGUSR2));
}

static sem_t unblocking;

static void post(void* unused) {
  (void)unused;
  CHECK(sem_post(&unblocking) == 0);
}

static void* send_a_signal(void* unused) {
  CHECK(kill(getpid(), SIGUSR1) == 0);
  return unused;
}

/// A semaphore, since ThreadSanitizer before LLVM 19 holds back a signal that comes right before read()
/// or poll() until the call returns.
static void a_signal_unblocks_the_main_thread(void) {
  create(NULL);
  CHECK(sem_init(&unblocking, 0, 0) == 0);
  int noted = 0;
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_on_signal(runtime, SIGUSR1, note_signal, &noted));
  conch_released region;
  CHECK_OK(conch_release_unblockable(runtime, &region, post, NULL));
  const pthread_t other = start(send_a_signal);
  while (sem_wait(&unblocking) != 0) CHECK(errno == EINTR);
  CHECK(pthread_join(other, NULL) == 0);
  CHECK_OK(conch_acquire(&region));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(noted == SIGUSR1);
  conch_detach(&attachment);
  CHECK(sem_destroy(&unblocking) == 0);
  destroy();
}

static void an_interrupt_stands_until_a_checkpoint(void) {
  create(NULL);
  int noted = 0;
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_on_signal(runtime, SIGUSR1, note_signal, &noted));
  conch_detach(&attachment);
  CHECK(raise(SIGUSR1) == 0);
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_RESULT(conch_wait_until(changed, CONCH_NO_DEADLINE), CONCH_INTERRUPTED);
  CHECK_RESULT(conch_wait_until(changed, CONCH_NO_DEADLINE), CONCH_INTERRUPTED);
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(noted == SIGUSR1);
  CHECK_RESULT(conch_wait_until(changed, conch_now()), CONCH_TIMED_OUT);
  conch_detach(&attachment);
  destroy();
}

// Exceptions -------------------------------------------------------------------------------------

static conch_thread_id waiter;

/// Waits until it is to stop, and stores why.
static void* wait_for_the_worst(void* result) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  waiter = conch_this_thread();
  ready = true;
  void* exception = NULL;
  conch_result ended = CONCH_OK;
  while (ended >= CONCH_OK) {
    CHECK_RESULT(conch_wait_until(changed, CONCH_NO_DEADLINE), CONCH_INTERRUPTED);
    ended = conch_checkpoint(runtime, &exception);
  }
  CHECK(exception == (ended == CONCH_EXCEPTION_RAISED ? &an_exception : NULL));
  *(conch_result*)result = ended;
  conch_detach(&attachment);
  return NULL;
}

static pthread_t start_one_that_waits(conch_result* result) {
  pthread_t thread;
  ready = false;
  CHECK(pthread_create(&thread, NULL, wait_for_the_worst, result) == 0);
  run_others_until(&ready);
  return thread;
}

static void an_exception_reaches_a_thread_that_waits(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_result ended = CONCH_OK;
  const pthread_t thread = start_one_that_waits(&ended);
  const conch_thread_id id = waiter;
  CHECK_OK(conch_raise_in(runtime, id, &an_exception));
  join(thread);
  CHECK(ended == CONCH_EXCEPTION_RAISED);
  CHECK_RESULT(conch_raise_in(runtime, id, &an_exception), CONCH_NOT_ATTACHED);

  void* exception = NULL;
  CHECK_OK(conch_raise_in(runtime, conch_this_thread(), &an_exception));
  CHECK_RESULT(conch_checkpoint(runtime, &exception), CONCH_EXCEPTION_RAISED);
  CHECK(exception == &an_exception);
  CHECK_OK(conch_raise_in(runtime, conch_this_thread(), NULL));
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_EXCEPTION_RAISED);
  conch_detach(&attachment);
  destroy();
}

static void terminate_reaches_all_other_threads(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_result ended[3];
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) threads[i] = start_one_that_waits(&ended[i]);
  CHECK_OK(conch_terminate(runtime, &an_exception));
  for (int i = 0; i < 3; ++i) {
    join(threads[i]);
    CHECK(ended[i] == CONCH_EXCEPTION_RAISED);
  }
  CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  conch_detach(&attachment);
  destroy();
}

static void a_stop_request_reaches_all_threads(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_result ended[3];
  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) threads[i] = start_one_that_waits(&ended[i]);
  conch_request_stop(runtime);
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_STOP_REQUESTED);
  for (int i = 0; i < 3; ++i) {
    join(threads[i]);
    CHECK(ended[i] == CONCH_STOP_REQUESTED);
  }
  conch_detach(&attachment);
  destroy();
}

// Conditions -------------------------------------------------------------------------------------

static void* wait_for_a_turn(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  ready = true;
  CHECK_OK(conch_wait_until(changed, CONCH_NO_DEADLINE));
  ++count;
  done = true;
  conch_detach(&attachment);
  return unused;
}

static void a_notified_thread_stops_waiting(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_notify_one(changed));  // nobody
  CHECK_RESULT(conch_wait_until(changed, conch_now()), CONCH_TIMED_OUT);
  CHECK_RESULT(conch_wait_until(changed, conch_now() + 1000), CONCH_TIMED_OUT);

  pthread_t threads[3];
  for (int i = 0; i < 3; ++i) {
    ready = false;
    threads[i] = start(wait_for_a_turn);
    run_others_until(&ready);
  }
  CHECK_OK(conch_notify_one(changed));
  run_others_until(&done);
  CHECK(count == 1);
  CHECK_OK(conch_notify_all(changed));
  for (int i = 0; i < 3; ++i) join(threads[i]);
  CHECK(count == 3);
  conch_detach(&attachment);
  conch_condition_destroy(NULL);
  destroy();
}

// Forks ------------------------------------------------------------------------------------------

static size_t attached_threads(void) {
  conch_stats stats;
  CHECK_OK(conch_get_stats(runtime, &stats));
  CHECK(stats.is_locked);
  return stats.threads;
}

static bool exits_well(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) != child) CHECK(errno == EINTR);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void fork_beside_a_thread_that_waits(bool by_hand) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  if (!by_hand) CHECK_OK(conch_follow_forks(runtime));
  const pthread_t thread = start(wait_for_a_turn);
  run_others_until(&ready);
  CHECK_OK(conch_add_pending_call(runtime, add_one, NULL, CONCH_ANY_THREAD));
  if (by_hand) conch_before_fork(runtime);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    if (by_hand) conch_after_fork_in_child(runtime);
    CHECK(conch_is_running(runtime));
    CHECK(attached_threads() == 1);
    CHECK_OK(conch_checkpoint(runtime, NULL));
    CHECK(count == 0);  // the pending call is the parent's
    ready = false;
    join(start_in_child(get_ready));
    CHECK(ready);
    _Exit(0);
  }
  if (by_hand) conch_after_fork_in_parent(runtime);
  CHECK(exits_well(child));
  CHECK(attached_threads() == 2);
  CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  CHECK(count == 1);
  CHECK_OK(conch_notify_one(changed));
  join(thread);
  conch_detach(&attachment);
  destroy();
}

static void a_child_forked_by_hand_has_the_calling_thread_alone(void) {
  fork_beside_a_thread_that_waits(true);
}
static void a_runtime_that_follows_forks_needs_no_hand(void) {
  fork_beside_a_thread_that_waits(false);
}

static void a_child_of_a_thread_that_has_let_go_does_not_run(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_released region;
  CHECK_OK(conch_release(runtime, &region));
  conch_before_fork(runtime);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    conch_after_fork_in_child(runtime);
    CHECK(!conch_is_running(runtime));
    CHECK_OK(conch_acquire(&region));
    CHECK(conch_is_main_thread(runtime));
    conch_detach(&attachment);
    CHECK_OK(conch_destroy(runtime));
    _Exit(0);
  }
  conch_after_fork_in_parent(runtime);
  CHECK(!conch_is_running(runtime));
  CHECK(exits_well(child));
  CHECK_OK(conch_acquire(&region));
  conch_detach(&attachment);
  destroy();
}

static int unblocked;  // of the process

static void note_unblocked(void* unused) {
  (void)unused;
  ++unblocked;
}

static void* block_where_it_can_be_unblocked(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  ready = true;
  conch_released region;
  CHECK_OK(conch_release_unblockable(runtime, &region, note_unblocked, NULL));
  open_gate();
  pthread_mutex_lock(&fork_is_over);
  pthread_mutex_unlock(&fork_is_over);
  CHECK_OK(conch_acquire(&region));
  conch_detach(&attachment);
  return unused;
}

static void* block_where_it_cannot_be_unblocked(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  ready = true;
  waiter = conch_this_thread();
  conch_released region;
  CHECK_OK(conch_release(runtime, &region));
  pass_gate();
  CHECK_OK(conch_acquire(&region));
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_EXCEPTION_RAISED);
  conch_detach(&attachment);
  return unused;
}

static void nobody_in_a_child_unblocks_threads_that_are_gone(void) {
  create(NULL);
  CHECK(pthread_mutex_lock(&fork_is_over) == 0);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  const pthread_t thread = start(block_where_it_can_be_unblocked);
  run_others_until(&ready);
  pass_gate();
  conch_before_fork(runtime);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    conch_after_fork_in_child(runtime);
    ready = false;
    const pthread_t other = start_in_child(block_where_it_cannot_be_unblocked);
    run_others_until(&ready);
    CHECK_OK(conch_raise_in(runtime, waiter, NULL));
    CHECK(unblocked == 0);
    open_gate();
    join(other);
    _Exit(0);
  }
  conch_after_fork_in_parent(runtime);
  CHECK(exits_well(child));
  CHECK(pthread_mutex_unlock(&fork_is_over) == 0);
  join(thread);
  conch_detach(&attachment);
  destroy();
}

/// Called in a signal handler: stays there until the gate opens.
static void stay_in_the_handler(void* inside) {
  CHECK(sem_post(inside) == 0);
  pass_gate();
}

static void* fork_beside_a_handler(void* inside) {
  while (sem_wait(inside) != 0) CHECK(errno == EINTR);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_before_fork(runtime);
  const pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    conch_after_fork_in_child(runtime);
    CHECK_OK(conch_on_signal(runtime, SIGUSR1, NULL, NULL));
    _Exit(0);
  }
  conch_after_fork_in_parent(runtime);
  CHECK(exits_well(child));
  conch_detach(&attachment);
  open_gate();
  return NULL;
}

static void nobody_in_a_child_waits_for_signal_handlers_that_are_gone(void) {
  create(NULL);
  int noted = 0;
  sem_t inside;
  pthread_t thread;
  CHECK(sem_init(&inside, 0, 0) == 0);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_on_signal(runtime, SIGUSR1, note_signal, &noted));
  CHECK(pthread_create(&thread, NULL, fork_beside_a_handler, &inside) == 0);
  conch_released region;
  CHECK_OK(conch_release_unblockable(runtime, &region, stay_in_the_handler, &inside));
  CHECK(raise(SIGUSR1) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK_OK(conch_acquire(&region));
  CHECK_OK(conch_checkpoint(runtime, NULL));
  CHECK(noted == SIGUSR1);
  conch_detach(&attachment);
  CHECK(sem_destroy(&inside) == 0);
  destroy();
}

// The end ----------------------------------------------------------------------------------------

static void* come_back_too_late(void* unused) {
  conch_attachment attachment;
  conch_attachment nested;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_released region;
  ready = true;
  CHECK_OK(conch_release(runtime, &region));
  pass_gate();
  CHECK_RESULT(conch_attach(runtime, &nested), CONCH_FINALIZED);
  CHECK_RESULT(conch_acquire(&region), CONCH_FINALIZED);
  CHECK_RESULT(conch_checkpoint(runtime, NULL), CONCH_NOT_RUNNING);
  conch_detach(&attachment);
  CHECK_RESULT(conch_attach(runtime, &attachment), CONCH_FINALIZED);
  return unused;
}

static void a_finalized_runtime_turns_others_away(void) {
  const conch_config config = {.when_finalized = CONCH_RETURN_ERROR};
  create(&config);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  const pthread_t thread = start(come_back_too_late);
  run_others_until(&ready);
  CHECK(!conch_is_finalized(runtime));
  CHECK_OK(conch_finalize(runtime));
  CHECK(conch_is_finalized(runtime));
  open_gate();
  join(thread);
  CHECK_NOT_FAILED(conch_checkpoint(runtime, NULL));
  CHECK(attached_threads() == 1);
  conch_detach(&attachment);
  destroy();
}

static void* come_back_after_the_end(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_released region;
  ready = true;
  CHECK_OK(conch_release(runtime, &region));
  pass_gate();
  CHECK_RESULT(conch_acquire(&region), CONCH_FINALIZED);
  conch_detach(&attachment);
  return unused;
}

// LeakSanitizer looks for what nobody points to, and compilers for what nobody reads.
static conch_runtime* volatile left_behind;

static void threads_may_come_back_to_a_runtime_that_was_destroyed(void) {
  const conch_config config = {.when_finalized = CONCH_RETURN_ERROR};
  create(&config);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  left_behind = runtime;
  const pthread_t thread = start(come_back_after_the_end);
  run_others_until(&ready);
  CHECK_OK(conch_on_signal(runtime, SIGUSR1, note_signal, &count));
  CHECK_OK(conch_follow_forks(runtime));
  CHECK_OK(conch_finalize(runtime));
  conch_detach(&attachment);
  conch_condition_destroy(changed);
  CHECK_OK(conch_destroy(runtime));
  CHECK(is_default(SIGUSR1));
  open_gate();
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(sem_destroy(&gate) == 0);
}

static void* sleep_for_ever(void* unused) {
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  conch_released region;
  ready = true;
  CHECK_OK(conch_release(runtime, &region));
  pass_gate();
  const conch_result came_back = conch_acquire(&region);
  CHECK(came_back > CONCH_INTERRUPTED);  // which no result is
  return unused;
}

static void a_thread_that_comes_back_too_late_sleeps(void) {
  create(NULL);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK(pthread_detach(start(sleep_for_ever)) == 0);
  run_others_until(&ready);
  CHECK_OK(conch_finalize(runtime));
  open_gate();
  while (attached_threads() != 1) {
    conch_released region;
    CHECK_OK(conch_release(runtime, &region));
    sched_yield();
    CHECK_OK(conch_acquire(&region));
  }
  conch_detach(&attachment);
  destroy();
}

// Monitoring -------------------------------------------------------------------------------------

static void stats_count_the_events_of_the_lock(void) {
  create(NULL);
  conch_stats stats;
  CHECK_RESULT(conch_get_stats(runtime, &stats), CONCH_NOT_RUNNING);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  CHECK_OK(conch_get_stats(runtime, &stats));
  CHECK(stats.threads == 1);
  CHECK(stats.waiters == 0);
  CHECK(stats.is_locked);
  CHECK(stats.counts_events);
  const conch_stats before = stats;
  conch_released region;
  CHECK_OK(conch_release(runtime, &region));
  CHECK_OK(conch_acquire(&region));
  CHECK_OK(conch_get_stats(runtime, &stats));
  CHECK(stats.events[CONCH_EVENT_ACQUIRED] == before.events[CONCH_EVENT_ACQUIRED] + 1);
  CHECK(stats.events[CONCH_EVENT_RELEASED] == before.events[CONCH_EVENT_RELEASED] + 1);
  CHECK(stats.events[CONCH_EVENT_WAIT_STARTED] == 0);
  conch_detach(&attachment);
  destroy();
}

static void a_description_is_cut_to_the_buffer(void) {
  create(NULL);
  CHECK(conch_describe(runtime, NULL, 0) == CONCH_NOT_RUNNING);
  conch_attachment attachment;
  CHECK_OK(conch_attach(runtime, &attachment));
  char text[1024];
  const int length = conch_describe(runtime, text, sizeof text);
  CHECK(length > 0 && (size_t)length == strlen(text));
  CHECK(strstr(text, "nesting 1") != NULL);
  CHECK(conch_describe(runtime, NULL, 0) > 0);
  char start_of_text[8] = "1234567";
  CHECK(conch_describe(runtime, start_of_text, 5) > 5);
  CHECK(strcmp(start_of_text, "runt") == 0);
  CHECK(start_of_text[5] == '6');
  conch_detach(&attachment);
  destroy();
}

static void every_result_has_words_of_its_own(void) {
  for (int i = CONCH_NO_MEMORY; i <= CONCH_INTERRUPTED; ++i)
    for (int j = CONCH_NO_MEMORY - 1; j < i; ++j)
      CHECK(strcmp(conch_message((conch_result)i), conch_message((conch_result)j)) != 0);
}

// ------------------------------------------------------------------------------------------------

#define TEST(function) \
  { function, #function }

typedef struct test {
  void (*function)(void);
  const char* name;
} test;

static const test tests[] = {
    TEST(attachments_nest),
    TEST(one_thread_runs_at_a_time),
    TEST(a_released_region_lets_others_run_and_keeps_errno),
    TEST(a_slow_call_lets_others_run),
    TEST(a_thread_that_yields_lets_others_run),
    TEST(a_thread_that_yields_does_not_wait_for_a_slow_call),
    TEST(a_thread_state_counts_calls_up_to_its_limit),
    TEST(a_pending_call_that_fails_ends_the_pass),
    TEST(a_full_queue_of_pending_calls_says_so),
    TEST(a_pending_call_for_the_main_thread_waits_for_it),
    TEST(user_bits_reach_the_thread_that_runs),
    TEST(the_host_is_pushed_when_the_breaker_leaves_zero),
    TEST(the_handler_of_a_signal_runs_at_a_checkpoint),
    TEST(a_signal_unblocks_the_main_thread),
    TEST(an_interrupt_stands_until_a_checkpoint),
    TEST(an_exception_reaches_a_thread_that_waits),
    TEST(terminate_reaches_all_other_threads),
    TEST(a_stop_request_reaches_all_threads),
    TEST(a_notified_thread_stops_waiting),
    TEST(a_child_forked_by_hand_has_the_calling_thread_alone),
    TEST(a_runtime_that_follows_forks_needs_no_hand),
    TEST(a_child_of_a_thread_that_has_let_go_does_not_run),
    TEST(nobody_in_a_child_unblocks_threads_that_are_gone),
    TEST(nobody_in_a_child_waits_for_signal_handlers_that_are_gone),
    TEST(a_finalized_runtime_turns_others_away),
    TEST(threads_may_come_back_to_a_runtime_that_was_destroyed),
    TEST(a_thread_that_comes_back_too_late_sleeps),
    TEST(stats_count_the_events_of_the_lock),
    TEST(a_description_is_cut_to_the_buffer),
    TEST(every_result_has_words_of_its_own),
};

static const test test_of_checkpoints = TEST(the_breaker_word_says_when_others_want_to_run);

static void run(const test* t) {
  for (const char* c = t->name; *c != '\0'; ++c) putchar(*c == '_' ? ' ' : *c);
  t->function();
  puts(": so");
}

int main(int argc, char** argv) {
  setbuf(stdout, NULL);
  for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) run(&tests[i]);
  if (argc > 1 && strcmp(argv[1], "--checkpoints-switch") == 0) run(&test_of_checkpoints);
  return 0;
}
