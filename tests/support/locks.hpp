// SPDX-License-Identifier: MIT
#pragma once

#include <conch/concepts.hpp>
#include <conch/fmq_lock.hpp>
#include <conch/observer.hpp>
#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>
#include <conch/stats.hpp>
#include <conch/tick_gil.hpp>
#include <conch/timed_gil.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

#if defined(__clang__)
// The tests take a lock on one path or thread and let go on another, and break its rules on purpose:
// more than the analysis can follow.
#pragma clang diagnostic ignored "-Wthread-safety-analysis"
#endif

namespace conch::testing {

/// Every lock that conch ships, for TEMPLATE_LIST_TEST_CASE.
using all_locks = std::tuple<conch::pthread_lock,                         //
                             conch::sem_lock,                             //
                             conch::tick_gil,                             //
                             conch::basic_tick_gil<conch::pthread_lock>,  //
                             conch::timed_gil,                            //
                             conch::fmq_lock>;

/// The same locks with an observer that counts their events.
using counted_locks = std::tuple<conch::basic_pthread_lock<posix_platform, event_counter>,   //
                                 conch::basic_sem_lock<posix_platform, event_counter>,       //
                                 conch::basic_tick_gil<sem_lock, event_counter>,             //
                                 conch::basic_tick_gil<conch::pthread_lock, event_counter>,  //
                                 conch::basic_timed_gil<posix_platform, event_counter>,      //
                                 conch::basic_fmq_lock<posix_platform, event_counter>>;

/// The locks that can be a constant, and so need no initialisation at run time.
using constant_locks = std::tuple<conch::pthread_lock,                         //
                                  conch::basic_tick_gil<conch::pthread_lock>,  //
                                  conch::timed_gil,                            //
                                  conch::fmq_lock>;

/// The locks whose yield() does not return before a waiter has had the lock.
using handoff_locks = std::tuple<conch::timed_gil, conch::fmq_lock>;

template <class Lock>
struct is_owned : std::bool_constant<owned_lock<Lock>> {};
template <class Lock>
struct any_thread_unlocks : std::bool_constant<Lock::traits.any_thread_unlocks> {};
template <class Lock>
struct checkpoint_switches : std::bool_constant<Lock::traits.checkpoint_switches> {};

namespace detail {
template <template <class> class Predicate, class Tuple>
struct filter;
template <template <class> class Predicate, class... Locks>
struct filter<Predicate, std::tuple<Locks...>> {
  using type = decltype(std::tuple_cat(
      std::declval<
          std::conditional_t<Predicate<Locks>::value, std::tuple<Locks>, std::tuple<>>>()...));
};
}  // namespace detail

/// Those of all_locks for which the predicate holds.
template <template <class> class Predicate>
using locks_that = typename detail::filter<Predicate, all_locks>::type;

}  // namespace conch::testing
