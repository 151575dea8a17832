// SPDX-License-Identifier: MIT
#include "cpu_time.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>

namespace conch::lab {

namespace {

cpu_time to_cpu_time(const ::timeval& time) noexcept {
  return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
}

// The first line of /proc/stat: "cpu", then the ticks spent in user code, in nice user code, in the
// kernel, idle, waiting for I/O, in interrupts, in soft interrupts, stolen by the hypervisor.
cpu_time used_by_all_processes() {
  std::ifstream file("/proc/stat");
  std::string name;
  std::uint64_t user = 0, nice = 0, kernel = 0, idle = 0, waiting = 0, hard = 0, soft = 0,
                stolen = 0;
  file >> name >> user >> nice >> kernel >> idle >> waiting >> hard >> soft >> stolen;
  const auto ticks = static_cast<double>(user + nice + kernel + hard + soft + stolen);
  const auto ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
  return std::chrono::duration_cast<cpu_time>(
      std::chrono::duration<double>(ticks / ticks_per_second));
}

}  // namespace

cpu_time used_by_this_process() noexcept {
  ::rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return to_cpu_time(usage.ru_utime) + to_cpu_time(usage.ru_stime);
}

cpu_usage cpu_usage::now() {
  return {.when = std::chrono::steady_clock::now(),
          .own = used_by_this_process(),
          .all = used_by_all_processes()};
}

double cpus_used_by_others(const cpu_usage& from, const cpu_usage& to) {
  const auto others = std::max(cpu_time{0}, (to.all - from.all) - (to.own - from.own));
  return std::chrono::duration<double>(others) / (to.when - from.when);
}

}  // namespace conch::lab
