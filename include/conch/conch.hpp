// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/fmq_lock.hpp>
#include <conch/observer.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/stats.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#if defined(__cpp_exceptions)  // which the runtime kit throws at checkpoints
#include <conch/runtime/condition.hpp>
#include <conch/runtime/runtime.hpp>
#endif
