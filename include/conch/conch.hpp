// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/contract.hpp>
#include <conch/fmq_lock.hpp>
#include <conch/observer.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/runtime/condition.hpp>
#include <conch/runtime/runtime.hpp>
#include <conch/sem_lock.hpp>
#include <conch/stats.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>
