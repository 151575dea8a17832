// SPDX-License-Identifier: MIT
#include "echo_client.hpp"

#include "message.hpp"

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <memory>
#include <system_error>

namespace conch::lab {

namespace {

/// A request that is still in flight when time is up has waited for long enough to count only if it
/// is already the slowest one: that can never make a lock look better.
void record_unanswered(client_tally& tally, clock::duration waited) {
  if (waited > tally.latencies.longest()) tally.latencies.record(waited);
}

/// True if the echo is what was sent.
bool check(client_tally& tally, const message& request, const message& echo) {
  if (echo == request) return true;
  ++tally.changed;
  if (intact(echo)) ++tally.out_of_sequence;
  return false;
}

/// What the client is told.
struct client_order {
  clock::time_point deadline;
  std::uint64_t least_requests = 0;
};

void exchange_messages(int connection, client_order order, client_tally& tally) {
  const auto deadline = order.deadline;
  for (;;) {
    const auto request = make_message(tally.received);
    message echo;
    const auto sent = clock::now();
    const bool enough = tally.received >= order.least_requests;
    if (sent >= deadline && enough) return;
    if (!send_object(connection, request) || !receive_object(connection, echo)) {
      tally.disconnected = true;
      record_unanswered(tally, deadline - sent);
      return;
    }
    const auto received = clock::now();
    ++tally.received;
    tally.last_received = received;
    if (!check(tally, request, echo)) return;
    if (received > deadline) {
      record_unanswered(tally, deadline - sent);
      continue;
    }
    ++tally.received_in_time;
    tally.latencies.record(received - sent);
  }
}

/// The client must never outlive a process that was killed before it could clean up.
void die_with(::pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
}

[[noreturn]] void run_client(int control, int connection) {
  client_order order;
  if (!receive_object(control, order)) ::_exit(1);
  const auto tally = std::make_unique<client_tally>();
  exchange_messages(connection, order, *tally);
  ::shutdown(connection, SHUT_RDWR);
  tally->used = used_by_this_process();
  ::_exit(send_object(control, *tally) ? 0 : 1);
}

}  // namespace

echo_client::echo_client(descriptor_pair& connection) {
  auto control = connect_to_child();
  const auto parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ == 0) {
    die_with(parent);
    connection.server.close();
    control.server.close();
    run_client(control.client.get(), connection.client.get());
  }
  connection.client.close();
  control_ = std::move(control.server);
}

echo_client::~echo_client() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void echo_client::start(clock::time_point deadline, std::uint64_t least_requests) noexcept {
  send_object(control_.get(), client_order{deadline, least_requests});
}

bool echo_client::has_ended() const noexcept {
  ::pollfd report{.fd = control_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&report, 1, 0) > 0;
}

std::optional<client_tally> echo_client::finish(clock::duration patience) noexcept {
  const auto time = std::chrono::ceil<std::chrono::microseconds>(patience);
  ::timeval limit{};
  limit.tv_sec = static_cast<time_t>(time.count() / 1'000'000);
  limit.tv_usec = static_cast<suseconds_t>(time.count() % 1'000'000);
  ::setsockopt(control_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::optional<client_tally> tally(std::in_place);
  if (!receive_object(control_.get(), *tally)) return std::nullopt;
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
  return tally;
}

}  // namespace conch::lab
