// SPDX-License-Identifier: MIT
#include "../common/machine.hpp"
#include "../common/terminal.hpp"
#include "costs.hpp"
#include "interrupts.hpp"
#if defined(CONCH_BENCH_LUA)
#include "lua.hpp"
#endif

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <cstdlib>
#include <exception>

namespace {

int measure(int argc, char** argv) {
  CLI::App program("What an interpreter pays for the runtime kit, and how soon a signal is handled",
                   "conch-bench-runtime");
  int repetitions = 9;
  int tries = 1000;
  unsigned hogs = 4;
  program.add_option("--repetitions", repetitions, "runs of each cost, of which the median counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  program.add_option("--tries", tries, "signals sent over each lock")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  program.add_option("--hogs", hogs, "threads that compute beside the signals")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    fmt::print(stderr, "conch-bench-runtime: {}\n", error.what());
    return 2;
  }
  conch::lab::print(fmt::format("conch-bench-runtime: {}\n\nA thread that nobody waits for:\n",
                                conch::lab::in_words(conch::lab::look_around())));
  conch::lab::print(conch::bench::table_of_costs(repetitions));
#if defined(CONCH_BENCH_LUA)
  conch::lab::print("\nLua on one thread, under fmq_lock:\n");
  conch::lab::print(conch::bench::table_of_lua(10 * repetitions));
#else
  conch::lab::print("\nLua on one thread is left out: this was built without Lua 5.4\n");
#endif
  conch::lab::print(
      fmt::format("\nA signal for the main thread, beside {} threads that compute:\n", hogs));
  conch::lab::print(conch::bench::table_of_interrupts(tries, hogs));
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    conch::lab::guard_standard_streams();
    return measure(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "conch-bench-runtime: {}\n", error.what());
    return EXIT_FAILURE;
  }
}
