// SPDX-License-Identifier: MIT
#pragma once

#include <conch/contract.hpp>
#include <conch/fmq_lock.hpp>

#include "../../support/locks.hpp"

#include <chrono>

#define CONCH_TEST_EXPORT __attribute__((visibility("default")))

/// What somebody might keep for each thread or once: a type that every library compiles for itself.
struct CONCH_TEST_EXPORT probe {
  int value = 0;
};

/// What each part of the program makes of the same locks and threads: the main program, two shared
/// libraries that it is linked with and one that it loads, all with hidden visibility, as plugins
/// are.
struct view {
  const void* (*probe_of_thread)();
  const void* (*probe_of_process)();
  const void* (*records_of_thread)();
  conch::contract_handler (*set_handler)(conch::contract_handler);
  void (*lock)(conch::fmq_lock&);
  void (*unlock)(conch::fmq_lock&);
  bool (*held_by_caller)(const conch::fmq_lock&);
  conch::acquire_result (*wait)(conch::fmq_lock&);
  void (*interrupt)(const void* records);
};

namespace {

/// Compiled into each of them.
[[maybe_unused]] const view* view_from_here() {
  using conch::fmq_lock;
  using conch::posix_platform;
  using records = conch::fmq::thread_records<posix_platform>;
  static const view here{
      .probe_of_thread = []() -> const void* { return &posix_platform::of_this_thread<probe>(); },
      .probe_of_process = []() -> const void* { return &posix_platform::of_this_process<probe>(); },
      .records_of_thread = []() -> const void* { return &fmq_lock::interrupt_handle(); },
      .set_handler = [](conch::contract_handler h) { return conch::set_contract_handler(h); },
      .lock = [](fmq_lock& lock) { lock.lock(); },
      .unlock = [](fmq_lock& lock) { lock.unlock(); },
      .held_by_caller = [](const fmq_lock& lock) { return lock.held_by_caller(); },
      .wait =
          [](fmq_lock& lock) {
            return lock.lock_interruptible_until(std::chrono::steady_clock::time_point::max());
          },
      .interrupt =
          [](const void* thread) {
            fmq_lock::interrupt(*static_cast<records*>(const_cast<void*>(thread)));
          },
  };
  return &here;
}

}  // namespace

extern "C" CONCH_TEST_EXPORT const view* view_of_a();
extern "C" CONCH_TEST_EXPORT const view* view_of_b();
