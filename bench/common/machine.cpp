// SPDX-License-Identifier: MIT
#include "machine.hpp"

#include <fmt/chrono.h>
#include <sched.h>
#include <sys/utsname.h>

#include <ctime>
#include <fstream>

namespace conch::lab {

namespace {

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  return {};
}

std::string compiler() {
#if defined(__clang__)
  const auto version =
      fmt::format("clang++ {}.{}.{}", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
  const auto version = fmt::format("g++ {}.{}.{}", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
  const std::string build_type = CONCH_BENCH_BUILD_TYPE;
  return version + ", " + (build_type.empty() ? "no build type" : build_type);
}

}  // namespace

measuring_context look_around() {
  ::utsname system{};
  ::uname(&system);
  auto machine = cpu_model();
  if (machine.empty()) machine = static_cast<const char*>(system.machine);
  return {.machine = machine,
          .cpus = usable_cpus(),
          .kernel = fmt::format("{} {}", static_cast<const char*>(system.sysname),
                                static_cast<const char*>(system.release)),
          .compiler = compiler(),
          .commit = CONCH_BENCH_COMMIT,
          .date = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))};
}

unsigned usable_cpus() noexcept {
  ::cpu_set_t usable;
  CPU_ZERO(&usable);
  ::sched_getaffinity(0, sizeof usable, &usable);
  return static_cast<unsigned>(CPU_COUNT(&usable));
}

std::string in_words(const measuring_context& context) {
  return fmt::format("{}, {} CPUs, {}; {}; commit {}", context.machine, context.cpus,
                     context.kernel, context.compiler, context.commit);
}

}  // namespace conch::lab
