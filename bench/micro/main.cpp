// SPDX-License-Identifier: MIT
#include "../common/machine.hpp"
#include "../common/terminal.hpp"
#include "futex_count.hpp"
#include "interruption.hpp"
#include "matrix.hpp"
#include "matrix_reporter.hpp"
#include "options.hpp"
#include "tables.hpp"
#include "work.hpp"
#include "yardsticks.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <regex>
#include <semaphore>
#include <string>
#include <string_view>
#include <thread>

namespace conch::bench {

namespace {

constexpr int usage_status = 2;
constexpr int interrupted_status = 130;

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

int complain(std::string_view what, int status) {
  fmt::print(stderr, "conch-bench: {}\n", what);
  return status;
}

/// Says where and by what is measured, to the reader and in the JSON.
void introduce() {
  const auto context = lab::look_around();
  const auto& speed = machine_speed();
  lab::print(fmt::format("conch-bench: {}\n"
                         "one step of work takes {:.2f} ns, a look at the clock {:.0f} ns\n",
                         lab::in_words(context), speed.step.count(), speed.clock_read.count()) +
             missing_locks());
  benchmark::AddCustomContext("machine", context.machine);
  benchmark::AddCustomContext("cpus", std::to_string(context.cpus));
  benchmark::AddCustomContext("kernel", context.kernel);
  benchmark::AddCustomContext("compiler", context.compiler);
  benchmark::AddCustomContext("commit", context.commit);
}

void print_tables(const results& measured) {
  lab::print(fmt::format("\n{}{}{}{}", ratio_table(measured), handoff_table(measured),
                         fairness_table(measured), worst_of_fmq_lock(measured)));
  const std::string_view missing = why_no_futex_count();
  if (!missing.empty()) lab::print(fmt::format("no futex calls counted: {}\n", missing));
}

int measure_machine() {
  add_yardsticks();
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return EXIT_SUCCESS;
}

int measure_all(options& options) {
  auto count = static_cast<int>(options.for_google_benchmark.size());
  options.for_google_benchmark.push_back(nullptr);
  benchmark::Initialize(&count, options.for_google_benchmark.data());
  if (benchmark::ReportUnrecognizedArguments(count, options.for_google_benchmark.data()))
    return usage_status;
  if (options.machine) return measure_machine();
  auto planned = add_benchmarks(options.pace, benchmark::GetBenchmarkFilter());
  if (planned.empty())
    return complain("no benchmark has a name that the filter selects", usage_status);

  if (options.list_only) {
    for (const auto& benchmark : planned) lab::print(fmt::format("{}\n", benchmark.name));
    return EXIT_SUCCESS;
  }
  watch_for_interruption();
  introduce();
  const sleeping_thread sleeper;
  matrix_reporter reporter(std::move(planned));
  matrix_json json;
  benchmark::RunSpecifiedBenchmarks(&reporter, options.json.empty() ? nullptr : &json, ".");
  benchmark::Shutdown();
  print_tables(reporter.measured());
  if (!options.json.empty()) lab::print(fmt::format("\nall figures: {}\n", options.json));
  if (interrupted()) return interrupted_status;
  return reporter.failed() ? EXIT_FAILURE : EXIT_SUCCESS;
}

int run_program(int argc, char** argv) {
  lab::guard_standard_streams();
  auto options = parse(argc, argv);
  if (!options.error.empty()) return complain(options.error, usage_status);
  if (options.help) {
    lab::print(help_text());
    return EXIT_SUCCESS;
  }
  try {
    return measure_all(options);
  } catch (const std::regex_error& error) {
    return complain(fmt::format("--benchmark_filter: {}", error.what()), usage_status);
  }
}

}  // namespace

}  // namespace conch::bench

int main(int argc, char** argv) {
  try {
    return conch::bench::run_program(argc, argv);
  } catch (const std::exception& error) {
    return conch::bench::complain(error.what(), EXIT_FAILURE);
  }
}
