// SPDX-License-Identifier: MIT
#include "limits.hpp"

#include "../../common/terminal.hpp"
#include "../experiments.hpp"
#include "../option_values.hpp"
#include "table.hpp"
#include "workbench.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace conch::lab {

namespace {

/// Where the measuring is, for who waits for it.
class progress {
public:
  explicit progress(unsigned repetitions) : repetitions_(repetitions) {}

  void begin(unsigned repetition, const std::string& trial) {
    trial_ = trial;
    repetition_ = repetition;
    run_ = 0;
  }
  void next_run() {
    line_.show(fmt::format("repetition {} of {}: {}, run {}", repetition_ + 1, repetitions_, trial_,
                           ++run_));
  }

private:
  progress_line line_;
  std::string trial_;
  unsigned repetitions_;
  unsigned repetition_ = 0;
  unsigned run_ = 0;
};

/// All trials once, and again: what disturbs the machine for a while then disturbs one value of
/// each and no median.
void measure(const limits_options& options, limits_results& results) {
  interrupts interrupts;
  progress progress(options.repetitions);
  workbench bench(options.lock, options.time_per_run, interrupts, [&] { progress.next_run(); });
  try {
    for (unsigned repetition = 0; repetition < options.repetitions; ++repetition) {
      for (const auto& trial : options.trials) {
        progress.begin(repetition, trial.name);
        add(results.limits, trial.name, trial.measure(bench));
      }
    }
  } catch (const interruption&) {
    results.interrupted = true;
  } catch (const lock_failure& failure) {
    results.failure = failure.what();
  }
  results.cpus_used_by_others = bench.cpus_used_by_others();
}

}  // namespace

int limits_results::status() const {
  if (!failure.empty()) return 1;
  if (interrupted) return interrupted_status;
  return std::any_of(limits.begin(), limits.end(), [](const auto& l) { return l.is_missed(); });
}

int run_limits(const limits_options& options) {
  const auto json = file_to_write("--json", options.json);
  limits_results results{.context = look_around(),
                         .lock = options.lock.name,
                         .time_per_run = options.time_per_run,
                         .repetitions = options.repetitions};
  print(header(results));
  measure(options, results);
  print(table(results));
  if (json) json->write(to_json(results));
  fmt::print(stderr, "{}", summary(results));
  return results.status();
}

}  // namespace conch::lab
