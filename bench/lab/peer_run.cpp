// SPDX-License-Identifier: MIT
#include "peer_run.hpp"

#include "../common/cpu_time.hpp"
#include "echo_client.hpp"
#include "peer_server.hpp"
#include "run.hpp"

#include <fmt/format.h>

#include <cmath>
#include <memory>

namespace conch::lab {

namespace {

/// For just-in-time compilers, and for threads to be where they stay.
constexpr std::chrono::milliseconds warm_up_time{300};

/// Of this process and the server's.
cpu_usage usage_with(peer_server& server) {
  auto usage = cpu_usage::now();
  usage.own += server.used();
  return usage;
}

std::vector<descriptor_pair> connection_to(const peer_server& server) {
  std::vector<descriptor_pair> connections(1);
  connections.front().client = server.connect();
  return connections;
}

/// A connection that is used for a while, as the measured one will be.
void warm_up(const peer_server& server, interrupts& interrupts) {
  const auto until = clock::now() + warm_up_time;
  auto connection = connection_to(server);
  echo_client client(connection);
  client.start(until, 1);
  wait_until([&] { return client.has_ended(); }, until + extra_time, interrupts);
}

std::optional<double> hog_work_per_second(const std::optional<peer_server::hog_count>& from,
                                          const std::optional<peer_server::hog_count>& to) {
  if (!from || !to || to->at <= from->at) return std::nullopt;
  return (to->work - from->work) / (to->at - from->at);
}

void add_echo_figures(peer_figures& figures, const client_tally& seen, clock::time_point from,
                      clock::time_point to) {
  const auto time = (figures.cut_short ? to : seen.last_received) - from;
  figures.requests = seen.received;
  figures.requests_per_second = per_second(static_cast<double>(seen.received), time);
}

/// The program's part is over when this returns.
peer_figures measure(const runtime& runtime, const peer_plan& plan, interrupts& interrupts) {
  peer_figures figures;
  figures.hogs = plan.hogs;
  auto server = std::make_unique<peer_server>(runtime, plan.hogs, interrupts);
  warm_up(*server, interrupts);
  std::optional<echo_client> client;
  if (plan.echo) {
    auto connection = connection_to(*server);
    client.emplace(connection);
  }
  const auto work_from = server->count();
  const auto from = usage_with(*server);
  const auto end = from.when + plan.time;
  if (client) client->start(end, enough_requests);
  interrupts.wait_until(end);
  if (client)
    figures.cut_short =
        !wait_until([&] { return client->has_ended(); }, end + extra_time, interrupts);
  auto to = usage_with(*server);
  const auto work_to = server->count();

  if (plan.hogs != 0) figures.hog_work_per_second = hog_work_per_second(work_from, work_to);
  const auto gone = server->failure("closed the connection");
  server.reset();  // which ends a client that still waits
  if (client) {
    const auto seen = client->finish(patience);
    if (!seen) throw peer_failure("the echo client ended without a report");
    if (seen->changed != 0) throw peer_failure("an echo was not what had been sent");
    if (seen->disconnected && !figures.cut_short) throw peer_failure(gone.what());
    add_echo_figures(figures, *seen, from.when, to.when);
    to.own += seen->used;
  }
  figures.cpus_used_by_others = cpus_used_by_others(from, to);
  return figures;
}

run_plan plan_of(const peer_plan& plan, work_unit unit) {
  return {.hogs = plan.hogs, .connections = plan.echo ? 1U : 0U, .time = plan.time, .unit = unit};
}

peer_figures figures_of(const run_result& result) {
  peer_figures figures;
  figures.hogs = result.plan.hogs;
  figures.cpus_used_by_others = result.cpus_used_by_others;
  if (result.echo) {
    figures.requests_per_second = result.echo->requests_per_second;
    const auto time = std::chrono::duration_cast<seconds>(result.plan.time);
    figures.requests =
        static_cast<std::uint64_t>(std::llround(result.echo->requests_per_second * time.count()));
    figures.cut_short = figures.requests < enough_requests;
  }
  if (result.plan.hogs != 0) figures.hog_work_per_second = result.all_hog_work_per_second();
  figures.failure = fmt::format("{}", fmt::join(result.failures, "; "));
  figures.hung = result.hung;
  return figures;
}

}  // namespace

std::optional<peer_figures> run_runtime(const runtime& runtime, const peer_plan& plan,
                                        interrupts& interrupts) {
  peer_figures figures;
  figures.hogs = plan.hogs;
  try {
    figures = measure(runtime, plan, interrupts);
  } catch (const peer_failure& failure) {
    figures.failure = failure.what();
  }
  if (interrupts.pending()) return std::nullopt;
  return figures;
}

std::optional<peer_figures> run_lock(const lock_entry& lock, const peer_plan& plan, work_unit unit,
                                     interrupts& interrupts) {
  auto result = run(lock, plan_of(plan, unit), interrupts, {});
  if (!result) return std::nullopt;
  const auto figures = figures_of(*result);
  if (!figures.cut_short || !figures.failure.empty()) return figures;
  auto longer = plan;
  longer.time += extra_time;
  result = run(lock, plan_of(longer, unit), interrupts, {});
  if (!result) return std::nullopt;
  return figures_of(*result);
}

}  // namespace conch::lab
