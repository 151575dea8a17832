// SPDX-License-Identifier: MIT
#include "process_counters.hpp"

#include "../common/futex_counter.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace conch::bench {

process_counters process_counters::now() {
  ::rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {.when = std::chrono::steady_clock::now(),
          .context_switches = static_cast<double>(usage.ru_nvcsw + usage.ru_nivcsw),
          .futex_calls = static_cast<double>(bench::futex_calls()),
          .own = lab::used_by_this_process(),
          .all = lab::used_by_all_processes()};
}

double cpus_of_others(const process_counters& begin, const process_counters& end) {
  const auto others = (end.all - begin.all) - (end.own - begin.own);
  return std::max(0.0, std::chrono::duration<double>(others) / (end.when - begin.when));
}

}  // namespace conch::bench
