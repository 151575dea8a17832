// SPDX-License-Identifier: MIT
#include "../common/terminal.hpp"
#include "experiments.hpp"
#include "option_values.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace {

constexpr int usage_status = 2;

int complain(const char* what, int status) {
  fmt::print(stderr, "conch-lab: {}\n", what);
  return status;
}

int run_program(int argc, char** argv) {
  CLI::App program("Experiments with conch's locks", "conch-lab");
  program.require_subcommand(1);
  const auto experiments = {conch::lab::stress_experiment(program),
                            conch::lab::peers_experiment(program),
                            conch::lab::limits_experiment(program)};
  try {
    program.parse(argc, argv);
    for (const auto& experiment : experiments)
      if (experiment.command->parsed()) return experiment.run();
  } catch (const CLI::Success& help) {
    return program.exit(help);
  } catch (const CLI::ParseError& error) {
    return complain(error.what(), usage_status);
  } catch (const conch::lab::usage_error& error) {
    return complain(error.what(), usage_status);
  }
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    conch::lab::guard_standard_streams();
    return run_program(argc, argv);
  } catch (const std::exception& error) {
    return complain(error.what(), EXIT_FAILURE);
  }
}
