// SPDX-License-Identifier: MIT
#include "run.hpp"

#include "../common/cpu_time.hpp"
#include "../common/futex_counter.hpp"
#include "../common/statistics.hpp"
#include "echo_client.hpp"
#include "sockets.hpp"
#include "stage.hpp"
#include "thread_group.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <numeric>

namespace conch::lab {

namespace {

/// What grows while the lock is used, at one moment.
struct counts {
  cpu_usage cpu;
  ::rusage usage{};
  std::optional<std::uint64_t> vain_wakeups;
  std::optional<wake_counts> wakes;
};

counts count(const stage& stage) {
  counts now{.cpu = cpu_usage::now(),
             .vain_wakeups = stage.contest->vain_wakeups(),
             .wakes = stage.contest->wakes()};
  ::getrusage(RUSAGE_SELF, &now.usage);
  return now;
}

/// Ends the parts of whatever threads there are, whatever happened.
class parts_ender {
public:
  explicit parts_ender(stage& stage) noexcept : stage_(&stage) {}
  ~parts_ender() {
    if (stage_ != nullptr) end_parts(*stage_);
  }
  parts_ender(const parts_ender&) = delete;
  parts_ender& operator=(const parts_ender&) = delete;
  void done() noexcept { stage_ = nullptr; }

private:
  stage* stage_;
};

/// Makes the connections of a run and the client at their other ends; no client if there are none.
std::unique_ptr<echo_client> connect(stage& stage) {
  if (stage.plan.connections == 0) return nullptr;
  std::vector<descriptor_pair> connections;
  for (unsigned i = 0; i < stage.plan.connections; ++i)
    connections.push_back(connect_over_loopback());
  auto client = std::make_unique<echo_client>(connections, stage.plan.bound);
  for (auto& connection : connections) stage.connections.push_back(std::move(connection.server));
  return client;
}

/// True if it was interrupted.
bool wait_until(clock::time_point deadline, interrupts& interrupts,
                const progress_listener& progress) {
  constexpr std::chrono::milliseconds beat{200};
  const auto start = clock::now();
  if (!progress) return interrupts.wait_until(deadline);
  while (clock::now() < deadline) {
    progress(clock::now() - start);
    if (interrupts.wait_until(std::min(deadline, clock::now() + beat))) return true;
  }
  return false;
}

void judge_exclusion(run_result& result, const stage& stage) {
  if (stage.contest->outcome().broken(stage.total().entries))
    result.failures.emplace_back("two threads held the lock at once");
}

void judge_echoes(run_result& result, const stage& stage,
                  const std::optional<client_tally>& client) {
  if (!client) {
    result.failures.emplace_back("the echo client ended without a report");
    return;
  }
  std::uint64_t answered = 0;
  std::uint64_t damaged = 0;
  for (const auto& echo : stage.echoes) {
    answered += echo.answered;
    damaged += echo.damaged;
  }
  if (client->out_of_sequence != 0)
    result.failures.emplace_back("an echo came out of sequence");
  else if (client->changed != 0 || damaged != 0)
    result.failures.emplace_back("a message was changed on its way");
  if (client->received != answered)
    result.failures.push_back(
        fmt::format("of {} answers the client received {}", answered, client->received));
}

echo_figures figures_of(const client_tally& client, const stage& stage, clock::duration time) {
  const auto& plan = stage.plan;
  const auto& latencies = client.latencies;
  const auto end = client.received_in_time.begin() + plan.connections;
  const auto slowest = *std::min_element(client.received_in_time.begin(), end);
  const auto all =
      static_cast<double>(std::accumulate(client.received_in_time.begin(), end, std::uint64_t{0}));
  clock::duration held{0};
  for (const auto& echo : stage.echoes) held += echo.account.times.held;
  return {.requests_per_second = per_second(all, plan.time),
          .p50 = latencies.quantile(0.5),
          .p99 = latencies.quantile(0.99),
          .max = latencies.longest(),
          .hold_share = seconds(held) / seconds(time),
          .slowest_over_mean = all > 0 ? static_cast<double>(slowest) * plan.connections / all : 0};
}

void add_accounts(run_result& result, const stage& stage, clock::duration time) {
  for (const auto& hog : stage.hogs) {
    result.hog_work_per_second.push_back(per_second(static_cast<double>(hog.work), time));
    result.hog_hold_shares.push_back(static_cast<double>(hog.times.held.count()));
  }
  if (stage.plan.adversary && stage.plan.hogs != 0)
    result.adversary_over_hog =
        static_cast<double>(stage.adversary.times.held.count()) / mean(result.hog_hold_shares);
  result.hog_hold_shares = shares_of_sum(std::move(result.hog_hold_shares));
  const auto burnt = std::accumulate(stage.burners.begin(), stage.burners.end(), std::uint64_t{0});
  result.burner_work_per_second = per_second(static_cast<double>(burnt), time);
  const auto total = stage.total();
  result.longest_wait = total.times.longest_wait;
  result.longest_gap = total.times.longest_gap;
  result.scheduler_delay = stage.scheduler_delay;
}

void add_rates(run_result& result, const stage& stage, const counts& from, const counts& to) {
  const auto time = to.cpu.when - from.cpu.when;
  const auto rate = [&](auto before, auto after) {
    return per_second(static_cast<double>(after - before), time);
  };
  result.switches_per_second = rate(std::uint64_t{0}, stage.contest->outcome().switches());
  if (from.vain_wakeups)
    result.vain_wakeups_per_second = rate(*from.vain_wakeups, *to.vain_wakeups);
  if (from.wakes) result.wakes = *to.wakes - *from.wakes;
  result.voluntary_context_switches_per_second = rate(from.usage.ru_nvcsw, to.usage.ru_nvcsw);
  result.involuntary_context_switches_per_second = rate(from.usage.ru_nivcsw, to.usage.ru_nivcsw);
}

void report_hang(run_result& result, const stage& stage) {
  result.hung = true;
  result.failures.push_back(fmt::format("threads still wait {} s after the end of the run: {}",
                                        patience.count(), stage.contest->describe()));
}

}  // namespace

double run_result::all_hog_work_per_second() const {
  return std::accumulate(hog_work_per_second.begin(), hog_work_per_second.end(), 0.0);
}

std::optional<run_result> run(const lock_entry& lock, const run_plan& plan, interrupts& interrupts,
                              const progress_listener& progress) {
  auto stage = std::make_unique<lab::stage>(lock, plan);
  auto client = connect(*stage);  // forks, and so it comes before the threads
  thread_group threads;
  parts_ender ender(*stage);  // goes before the group, which waits for the threads
  add_threads(threads, *stage);

  const auto futex_calls_before = bench::futex_calls();
  const auto from = count(*stage);
  threads.open();
  const auto deadline = from.cpu.when + plan.time;
  if (client) client->start(deadline);
  const bool interrupted = wait_until(deadline, interrupts, progress);
  auto to = count(*stage);
  end_parts(*stage);
  ender.done();

  run_result result;
  result.lock = lock.name;
  result.plan = plan;
  if (!threads.join_within(patience)) {
    report_hang(result, *stage);
    [[maybe_unused]] auto* const kept = stage.release();  // for the threads that were abandoned
    return result;
  }
  stage->connections.clear();  // which ends the client if its own deadline has not
  std::optional<client_tally> seen;
  if (client) seen = client->finish(patience);
  if (interrupted) return std::nullopt;

  judge_exclusion(result, *stage);
  if (client) judge_echoes(result, *stage, seen);
  const auto time = to.cpu.when - from.cpu.when;
  if (seen) result.echo = figures_of(*seen, *stage, time);
  add_accounts(result, *stage, time);
  add_rates(result, *stage, from, to);
  if (plan.count_futex_calls && !stage->futex_calls_escaped)
    result.futex_calls_per_acquisition =
        static_cast<double>(bench::futex_calls() - futex_calls_before) /
        static_cast<double>(stage->total().times.gains);
  if (seen) to.cpu.own += seen->used;
  result.cpus_used_by_others = cpus_used_by_others(from.cpu, to.cpu);
  return result;
}

}  // namespace conch::lab
