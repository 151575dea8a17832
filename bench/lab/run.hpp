// SPDX-License-Identifier: MIT
#pragma once

#include "adversary.hpp"
#include "clock.hpp"
#include "interrupts.hpp"
#include "locks.hpp"
#include "work.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace conch::lab {

/// What one run is: who wants one lock, and who else runs.
struct run_plan {
  unsigned hogs = 0;
  std::vector<unsigned> spacings{1};  ///< hog i makes a checkpoint every spacings[i % size] units
  unsigned connections = 1;           ///< of the echo server, each with its thread
  clock::duration burst{0};           ///< CPU time under the lock that an answer takes
  std::optional<lab::adversary> adversary{};
  unsigned burners = 0;            ///< threads that compute without the lock
  bool bound = false;              ///< who computes to the first CPU, server and client to others
  bool watch_scheduler = false;    ///< one more, which measures the system's own delay
  bool count_futex_calls = false;  ///< which takes time: rates mean little then
  clock::duration time{0};
  work_unit unit{};

  /// How many threads use the lock.
  [[nodiscard]] unsigned contenders() const noexcept {
    return hogs + connections + (adversary ? 1 : 0);
  }
};

struct echo_figures {
  double requests_per_second = 0;
  std::chrono::nanoseconds p50{0};
  std::chrono::nanoseconds p99{0};
  std::chrono::nanoseconds max{0};
  double hold_share = 0;         ///< the server's hold time ÷ the time of the run
  double slowest_over_mean = 0;  ///< the requests of the slowest connection ÷ the mean of all
};

/// What one run showed. Rates are per second of the run's own time.
struct run_result {
  std::string lock;
  run_plan plan;
  std::optional<echo_figures> echo;
  std::vector<double> hog_work_per_second;  ///< of each hog, in units
  std::vector<double> hog_hold_shares;  ///< of each hog, of the time for which hogs held the lock
  std::optional<double> adversary_over_hog;  ///< its hold time ÷ the mean of the hogs'
  double burner_work_per_second = 0;         ///< of all of them
  clock::duration longest_wait{0};           ///< for the lock
  clock::duration longest_gap{0};  ///< from one checkpoint or release of a holder to the next
  clock::duration scheduler_delay{0};
  double switches_per_second = 0;
  std::optional<double> vain_wakeups_per_second;
  std::optional<wake_counts> wakes;
  std::optional<double> futex_calls_per_acquisition;
  double voluntary_context_switches_per_second = 0;
  double involuntary_context_switches_per_second = 0;
  double cpus_used_by_others = 0;  ///< how many CPUs other programs kept busy meanwhile

  std::vector<std::string> failures;  ///< what the lock did that no lock may, in words
  bool hung = false;                  ///< threads never came back: the process can but end

  [[nodiscard]] double all_hog_work_per_second() const;
};

/// Called a few times a second while a run is under way.
using progress_listener = std::function<void(clock::duration since_start)>;

/// Nothing if it was interrupted. Precondition: the process has one thread. Throws
/// std::system_error if the machine refuses a thread, a process or a socket.
std::optional<run_result> run(const lock_entry& lock, const run_plan& plan, interrupts& interrupts,
                              const progress_listener& progress);

}  // namespace conch::lab
