// SPDX-License-Identifier: MIT
#include "cpus.hpp"

#include <sched.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

namespace conch::lab {

namespace {

::cpu_set_t affinity() noexcept {
  ::cpu_set_t usable;
  CPU_ZERO(&usable);
  ::sched_getaffinity(0, sizeof usable, &usable);
  return usable;
}

void use(const ::cpu_set_t& cpus) {
  if (::sched_setaffinity(0, sizeof cpus, &cpus) != 0)
    throw std::system_error(errno, std::generic_category(), "sched_setaffinity");
}

}  // namespace

void use_only(unsigned cpus) {
  const auto usable = affinity();
  ::cpu_set_t chosen;
  CPU_ZERO(&chosen);
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE && cpus != 0; ++cpu) {
    if (!CPU_ISSET(cpu, &usable)) continue;
    CPU_SET(cpu, &chosen);
    --cpus;
  }
  use(chosen);
}

void use_all_but_first() {
  auto chosen = affinity();
  std::size_t first = 0;
  while (!CPU_ISSET(first, &chosen)) ++first;
  CPU_CLR(first, &chosen);
  use(chosen);
}

}  // namespace conch::lab
