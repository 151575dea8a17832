// SPDX-License-Identifier: MIT
#include "locks.hpp"
#include "ratio_reporter.hpp"
#include "yardsticks.hpp"

#include <benchmark/benchmark.h>

#include <semaphore>
#include <string>
#include <thread>
#include <vector>

namespace {

/// A second thread that sleeps while it exists: glibc's mutexes and semaphores take a short cut in
/// a process with one thread only, which no program that needs a lock would see.
class sleeping_thread {
public:
  sleeping_thread() : thread_([this] { end_.acquire(); }) {}
  ~sleeping_thread() {
    end_.release();
    thread_.join();
  }
  sleeping_thread(const sleeping_thread&) = delete;
  sleeping_thread& operator=(const sleeping_thread&) = delete;

private:
  std::binary_semaphore end_{0};
  std::thread thread_;
};

/// The command line with the defaults of this program in front, so that what was typed wins.
std::vector<char*> with_defaults(std::vector<std::string>& defaults, int argc, char** argv) {
  std::vector<char*> arguments{argv[0]};
  for (auto& argument : defaults) arguments.push_back(argument.data());
  arguments.insert(arguments.end(), argv + 1, argv + argc);
  return arguments;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> defaults{"--benchmark_repetitions=5", "--benchmark_min_time=0.1"};
  auto arguments = with_defaults(defaults, argc, argv);
  auto count = static_cast<int>(arguments.size());
  arguments.push_back(nullptr);
  benchmark::Initialize(&count, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
  conch::bench::add_yardsticks();
  conch::bench::add_benchmarks();
  const sleeping_thread sleeper;
  conch::bench::ratio_reporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  benchmark::Shutdown();
  return 0;
}
