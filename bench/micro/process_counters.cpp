// SPDX-License-Identifier: MIT
#include "process_counters.hpp"

#include "../common/futex_counter.hpp"

#include <sys/resource.h>

namespace conch::bench {

process_counters process_counters::now() {
  ::rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {.when = std::chrono::steady_clock::now(),
          .context_switches = static_cast<double>(usage.ru_nvcsw + usage.ru_nivcsw),
          .futex_calls = static_cast<double>(bench::futex_calls())};
}

}  // namespace conch::bench
