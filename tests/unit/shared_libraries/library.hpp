// SPDX-License-Identifier: MIT
#pragma once

#include <conch/fmq_lock.hpp>

/// What each of the parts of the program sees: the main program and two shared libraries, all
/// compiled with hidden visibility, as plugins are.
struct view {
  const void* (*own_probe)();     ///< of_this_thread<probe>()
  const void* (*own_records)();   ///< where fmq_lock keeps a thread's records
  const void* (*shared_probe)();  ///< of_this_process<probe>()
  conch::contract_handler (*set_handler)(conch::contract_handler);
  void (*lock)(conch::fmq_lock&);
  void (*unlock)(conch::fmq_lock&);
  bool (*held_by_caller)(const conch::fmq_lock&);
  conch::acquire_result (*wait)(conch::fmq_lock&);  ///< interruptible, for ever
  void* (*own_handle)();
  void (*interrupt)(void* handle);
};

/// What somebody might keep for each thread: a type that every library compiles for itself.
struct CONCH_SHARED probe {
  int value = 0;
};

#define CONCH_TEST_EXPORT __attribute__((visibility("default")))
extern "C" CONCH_TEST_EXPORT const view* view_of_a();
extern "C" CONCH_TEST_EXPORT const view* view_of_b();
const view* view_of_main();
