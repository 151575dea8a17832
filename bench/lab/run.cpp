// SPDX-License-Identifier: MIT
#include "run.hpp"

#include "../common/cpu_time.hpp"
#include "../common/statistics.hpp"
#include "echo_client.hpp"
#include "sockets.hpp"
#include "thread_group.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <numeric>

namespace conch::lab {

namespace {

/// How long threads and the client may take to end when a run is over; a lock that has lost a
/// wake-up takes for ever.
constexpr std::chrono::seconds patience{10};

/// What threads use while they run, and abandoned threads for ever.
struct stage {
  explicit stage(const lock_entry& lock, unsigned hogs)
      : contest(lock.make_contest()), hog_tallies(hogs) {}

  std::unique_ptr<lab::contest> contest;
  descriptor connection;
  std::atomic<bool> stop{false};
  std::vector<hog_tally> hog_tallies;
  echo_tally echo;
};

/// What grows while the lock is used, at one moment.
struct counts {
  clock::time_point time;
  cpu_time used_by_self;
  cpu_time used_by_all;
  ::rusage usage{};
  std::optional<std::uint64_t> vain_wakeups;
};

counts count(const stage& stage) {
  counts now{.time = clock::now(),
             .used_by_self = used_by_this_process(),
             .used_by_all = used_by_all_processes(),
             .vain_wakeups = stage.contest->vain_wakeups()};
  ::getrusage(RUSAGE_SELF, &now.usage);
  return now;
}

void end_parts(stage& stage) noexcept {
  stage.stop.store(true, std::memory_order_relaxed);  // hogs only have to see it, in time
  stop_receiving(stage.connection.get());
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

void add_threads(thread_group& threads, stage& stage, const run_plan& plan) {
  for (unsigned i = 0; i < plan.hogs; ++i) {
    const hog_order order{.self = static_cast<turn::thread>(i),
                          .unit = plan.unit,
                          .spacing = plan.spacings[i % plan.spacings.size()]};
    threads.add(
        [&stage, i, order] { stage.hog_tallies[i] = stage.contest->hog(order, stage.stop); });
  }
  if (!plan.echo) return;
  const auto server = static_cast<turn::thread>(plan.hogs);
  threads.add(
      [&stage, server] { stage.echo = stage.contest->serve(server, stage.connection.get()); });
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
  auto entries = stage.echo.entries;
  for (const auto& tally : stage.hog_tallies) entries += tally.entries;
  if (stage.contest->outcome().broken(entries))
    result.failures.emplace_back("two threads held the lock at once");
}

void judge_echoes(run_result& result, const stage& stage,
                  const std::optional<client_tally>& client) {
  if (!client) {
    result.failures.emplace_back("the echo client ended without a report");
    return;
  }
  if (client->out_of_sequence != 0)
    result.failures.emplace_back("an echo came out of sequence");
  else if (client->changed != 0 || stage.echo.damaged != 0)
    result.failures.emplace_back("a message was changed on its way");
  if (client->received != stage.echo.answered)
    result.failures.push_back(
        fmt::format("of {} answers the client received {}", stage.echo.answered, client->received));
}

echo_figures figures_of(const client_tally& client, clock::duration time) {
  const auto& latencies = client.latencies;
  return {.requests_per_second = per_second(static_cast<double>(client.received_in_time), time),
          .p50 = latencies.quantile(0.5),
          .p99 = latencies.quantile(0.99),
          .max = latencies.longest()};
}

void add_hog_figures(run_result& result, const stage& stage, clock::duration time) {
  for (const auto& tally : stage.hog_tallies) {
    result.hog_work_per_second.push_back(per_second(static_cast<double>(tally.work), time));
    result.hog_hold_shares.push_back(static_cast<double>(tally.hold_time.count()));
  }
  result.hog_hold_shares = shares_of_sum(std::move(result.hog_hold_shares));
}

void add_rates(run_result& result, const stage& stage, const counts& from, const counts& to) {
  const auto time = to.time - from.time;
  const auto rate = [&](auto before, auto after) {
    return per_second(static_cast<double>(after - before), time);
  };
  result.switches_per_second = rate(std::uint64_t{0}, stage.contest->outcome().switches());
  if (from.vain_wakeups)
    result.vain_wakeups_per_second = rate(*from.vain_wakeups, *to.vain_wakeups);
  result.voluntary_context_switches_per_second = rate(from.usage.ru_nvcsw, to.usage.ru_nvcsw);
  result.involuntary_context_switches_per_second = rate(from.usage.ru_nivcsw, to.usage.ru_nivcsw);
}

double cpus_used_by_others(const std::optional<client_tally>& client, const counts& from,
                           const counts& to) {
  const auto own = to.used_by_self - from.used_by_self + (client ? client->used : cpu_time{0});
  const auto others = std::max(cpu_time{0}, to.used_by_all - from.used_by_all - own);
  return seconds(others) / seconds(to.time - from.time);
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
  auto stage = std::make_unique<lab::stage>(lock, plan.hogs);
  std::optional<echo_client> client;
  if (plan.echo) {
    auto connection = connect_over_loopback();
    client.emplace(connection);  // forks, and so it comes before the threads
    stage->connection = std::move(connection.server);
  }
  thread_group threads;
  parts_ender ender(*stage);  // goes before the group, which waits for the threads
  add_threads(threads, *stage, plan);

  const auto from = count(*stage);
  threads.open();
  if (client) client->start(from.time + plan.time);
  const bool interrupted = wait_until(from.time + plan.time, interrupts, progress);
  const auto to = count(*stage);
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
  stage->connection.close();  // which ends the client if its own deadline has not
  std::optional<client_tally> seen;
  if (client) seen = client->finish(patience);
  if (interrupted) return std::nullopt;

  judge_exclusion(result, *stage);
  if (client) judge_echoes(result, *stage, seen);
  if (seen) result.echo = figures_of(*seen, plan.time);
  add_hog_figures(result, *stage, to.time - from.time);
  add_rates(result, *stage, from, to);
  result.cpus_used_by_others = cpus_used_by_others(seen, from, to);
  return result;
}

}  // namespace conch::lab
