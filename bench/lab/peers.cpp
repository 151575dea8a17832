// SPDX-License-Identifier: MIT
#include "peers.hpp"

#include "../common/terminal.hpp"
#include "figures.hpp"
#include "option_values.hpp"
#include "peers_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iterator>
#include <limits>

namespace conch::lab {

namespace {

/// One run of a lock or a runtime.
using runner = std::function<std::optional<peer_figures>(const peer_plan&)>;

/// The runs of one invocation, and what became of them.
class peers_session {
public:
  explicit peers_session(const peers_options& options) : options_(options) {
    results_.context = look_around();
    results_.time_per_run = options.time_per_run;
    results_.numbers_of_hogs = options.hogs;
  }

  const peers_results& measure() {
    print(header(results_));
    const auto runtimes = find_runtimes();
    if (interrupts_.pending()) return results_;
    runs_to_do_ = (options_.locks.size() + runtimes.size()) * runs_per_peer();
    print(skipped_lines(results_));
    if (runs_to_do_ == 0 && results_.peers.empty()) return results_;
    print(column_titles(results_));
    for (const auto& failed : results_.peers) print_row(failed);
    unit_ = calibrate_work();
    if (measure_locks()) measure_runtimes(runtimes);
    return results_;
  }

  [[nodiscard]] bool interrupted() { return interrupts_.pending(); }
  [[nodiscard]] std::string progress() const {
    return fmt::format("{} of {} runs", runs_done_, runs_to_do_);
  }

private:
  /// Those that can be measured. Results say of the others why not.
  std::vector<runtime> find_runtimes() {
    std::vector<runtime> runtimes;
    for (const auto& wanted : options_.runtimes) {
      const auto found = wanted.kind.find(workshop_, interrupts_);
      if (interrupts_.pending()) break;
      auto& skipped = results_.skipped;
      skipped.insert(skipped.end(), found.absent.begin(), found.absent.end());
      for (const auto& failed : found.failed)
        results_.peers.emplace_back(failed.name).failure = failed.reason;
      add_wanted(wanted, found.usable, runtimes);
    }
    return runtimes;
  }

  void add_wanted(const wanted_runtimes& wanted, const std::vector<runtime>& usable,
                  std::vector<runtime>& runtimes) {
    const auto is_wanted = [&](const runtime& one) {
      return std::any_of(wanted.versions.begin(), wanted.versions.end(),
                         [&](const std::string& version) { return is_version(one, version); });
    };
    std::copy_if(usable.begin(), usable.end(), std::back_inserter(runtimes), is_wanted);
    for (const auto& version : wanted.versions)
      if (!usable.empty() && std::none_of(usable.begin(), usable.end(), [&](const runtime& one) {
            return is_version(one, version);
          }))
        results_.skipped.push_back({wanted.kind.name + version, "there is no such version"});
  }

  static bool is_version(const runtime& runtime, const std::string& wanted) {
    return wanted.empty() || (runtime.version + ".").starts_with(wanted + ".");
  }

  // All that return bool return false if nothing more is to be measured.

  bool measure_locks() {
    return std::all_of(options_.locks.begin(), options_.locks.end(), [&](const lock_entry& lock) {
      return measure_peer(lock.name, [&](const peer_plan& plan) {
        return run_lock(lock, plan, unit_, interrupts_);
      });
    });
  }

  bool measure_runtimes(const std::vector<runtime>& runtimes) {
    return std::all_of(runtimes.begin(), runtimes.end(), [&](const runtime& runtime) {
      return measure_peer(runtime.name, [&](const peer_plan& plan) {
        return run_runtime(runtime, plan, interrupts_);
      });
    });
  }

  /// The row is printed whatever happens, for what was measured of it.
  bool measure_peer(const std::string& name, const runner& run) {
    auto& peer = results_.peers.emplace_back(name);
    bool more = measure_alone(peer, run);
    for (const auto hogs : options_.hogs) {
      if (!more || !peer.failure.empty()) break;
      const auto figures = measure_one(peer, {.hogs = hogs, .time = options_.time_per_run}, run);
      if (figures && figures->failure.empty()) peer.runs.push_back(*figures);
      more = figures && !figures->hung;
    }
    if (!peer.runs.empty() || !peer.failure.empty()) print_row(peer);
    return more;
  }

  /// One hog, for what hogs beside the echo are compared with.
  bool measure_alone(peer& peer, const runner& run) {
    if (!with_hogs()) return true;
    const auto figures =
        measure_one(peer, {.hogs = 1, .echo = false, .time = options_.time_per_run}, run);
    if (figures) peer.work_of_one_hog_alone = figures->hog_work_per_second;
    return figures && !figures->hung;
  }

  std::optional<peer_figures> measure_one(peer& peer, const peer_plan& plan, const runner& run) {
    const auto hogs = count_of(plan.hogs, "hog");
    progress_line line;
    line.show(fmt::format("run {} of {}: {}, {}", runs_done_ + 1, runs_to_do_, peer.name, hogs));
    auto figures = run(plan);
    if (!figures) return std::nullopt;
    ++runs_done_;
    if (!figures->failure.empty())
      peer.failure = fmt::format("beside {}: {}", hogs, figures->failure);
    return figures;
  }

  void print_row(const peer& peer) {
    print(row(results_, peer));
    print(failure_line(peer));
  }

  [[nodiscard]] bool with_hogs() const {
    return std::any_of(options_.hogs.begin(), options_.hogs.end(),
                       [](unsigned number) { return number != 0; });
  }
  [[nodiscard]] std::size_t runs_per_peer() const {
    return options_.hogs.size() + (with_hogs() ? 1 : 0);
  }

  const peers_options& options_;
  interrupts interrupts_;
  temporary_directory workshop_;
  peers_results results_;
  work_unit unit_;
  std::size_t runs_to_do_ = 0;
  std::size_t runs_done_ = 0;
};

/// Nothing if either is not known, infinite if the second one is 0.
std::optional<double> quotient_of_rates(const peer_figures* one, const peer_figures* other) {
  if (one == nullptr || other == nullptr) return std::nullopt;
  if (other->requests_per_second > 0) return one->requests_per_second / other->requests_per_second;
  return std::numeric_limits<double>::infinity();
}

}  // namespace

const peer_figures* peer::run_beside(unsigned hogs) const {
  const auto run = std::find_if(runs.begin(), runs.end(),
                                [&](const peer_figures& one) { return one.hogs == hogs; });
  return run == runs.end() ? nullptr : &*run;
}

std::optional<double> peer::convoy_factor(unsigned hogs) const {
  return quotient_of_rates(run_beside(0), run_beside(hogs));
}

std::optional<double> peer::relative_hog_work(unsigned hogs) const {
  const auto* const run = run_beside(hogs);
  if (run == nullptr || !run->hog_work_per_second || !work_of_one_hog_alone) return std::nullopt;
  return *run->hog_work_per_second / *work_of_one_hog_alone;
}

double peer::most_cpus_used_by_others() const {
  double most = 0;
  for (const auto& run : runs) most = std::max(most, run.cpus_used_by_others);
  return most;
}

std::optional<double> peers_results::lead_of_fmq_lock(const peer& other, unsigned hogs) const {
  const auto fmq_lock = std::find_if(peers.begin(), peers.end(),
                                     [](const peer& one) { return one.name == "fmq_lock"; });
  if (fmq_lock == peers.end()) return std::nullopt;
  return quotient_of_rates(fmq_lock->run_beside(hogs), other.run_beside(hogs));
}

int run_peers(const peers_options& options) {
  const auto json = file_to_write("--json", options.json);
  peers_session session(options);
  const auto& results = session.measure();
  if (json && !results.peers.empty()) json->write(to_json(results));

  std::string failures;
  for (const auto& peer : results.peers) failures += failure_line(peer);
  if (!failures.empty()) {
    fmt::print(stderr, "conch-lab: there are failures\n{}", failures);
    return 1;
  }
  if (session.interrupted()) {
    fmt::print(stderr, "conch-lab: interrupted after {}\n", session.progress());
    return interrupted_status;
  }
  if (!results.peers.empty()) return 0;
  fmt::print(stderr, "conch-lab: there is nothing to measure\n");
  return 1;
}

}  // namespace conch::lab
