// SPDX-License-Identifier: MIT
// An interpreter in C, in small: two threads run programs of four instructions on one heap, and any of
// them may be asked to stop. What an instruction does to the heap needs no lock of its own.

#define _POSIX_C_SOURCE 200809L

#include <conch/c/conch.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

typedef enum opcode { OP_ADD, OP_SLEEP, OP_JUMP, OP_HALT } opcode;
typedef struct instruction {
  opcode code;
  int operand;
} instruction;

typedef struct program {
  const char* name;
  const instruction* code;
  conch_result ended;
} program;

static conch_runtime* runtime;
static long heap;  // guarded by the runtime's lock, as all that programs share

/// A blocking call, around which the thread lets go.
static conch_result sleep_for(int milliseconds) {
  const struct timespec time = {.tv_nsec = milliseconds * 1000000L};
  conch_released region;
  const conch_result released = conch_release(runtime, &region);
  if (released != CONCH_OK) return released;
  nanosleep(&time, NULL);
  return conch_acquire(&region);
}

static conch_result interpret(const instruction* code) {
  const uint32_t* const asked = conch_breaker_word(runtime);
  const instruction* next = code;
  conch_result result = CONCH_OK;
  while (result >= CONCH_OK) {
    const instruction now = *next++;
    switch (now.code) {
      case OP_ADD:
        heap += now.operand;
        break;
      case OP_SLEEP:
        result = sleep_for(now.operand);
        break;
      case OP_JUMP:
        next = code + now.operand;
        if (conch_is_asked(asked)) result = conch_checkpoint(runtime, NULL);
        break;
      case OP_HALT:
        return CONCH_OK;
    }
  }
  return result;
}

static void* run(void* argument) {
  program* const p = argument;
  conch_attachment attachment;
  p->ended = conch_attach(runtime, &attachment);
  if (p->ended != CONCH_OK) return NULL;
  p->ended = interpret(p->code);
  conch_detach(&attachment);
  return NULL;
}

/// Has all programs stop once one has come to its end.
static void* run_and_stop_others(void* argument) {
  run(argument);
  conch_request_stop(runtime);
  return NULL;
}

int main(void) {
  static const instruction computes[] = {{OP_ADD, 1}, {OP_JUMP, 0}};
  static const instruction sleeps[] = {
      {OP_SLEEP, 10}, {OP_ADD, 1}, {OP_SLEEP, 10}, {OP_ADD, 1}, {OP_HALT, 0}};
  program hog = {"one that computes for ever", computes, CONCH_OK};
  program sleeper = {"one that sleeps twice", sleeps, CONCH_OK};

  if (conch_create(NULL, &runtime) != CONCH_OK) return 1;
  pthread_t first;
  pthread_t second;
  if (pthread_create(&first, NULL, run, &hog) != 0) return 1;
  if (pthread_create(&second, NULL, run_and_stop_others, &sleeper) != 0) return 1;
  pthread_join(first, NULL);
  pthread_join(second, NULL);
  printf("%s: %s\n", hog.name, conch_message(hog.ended));
  printf("%s: %s\n", sleeper.name, conch_message(sleeper.ended));
  printf("%ld on the heap\n", heap);
  if (conch_destroy(runtime) != CONCH_OK) return 1;
  return hog.ended == CONCH_STOP_REQUESTED && sleeper.ended == CONCH_OK ? 0 : 1;
}
