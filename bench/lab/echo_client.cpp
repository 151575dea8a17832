// SPDX-License-Identifier: MIT
#include "echo_client.hpp"

#include "cpus.hpp"
#include "exchange.hpp"

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

/// The client must never outlive a process that was killed before it could clean up.
void die_with(::pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
}

/// Or ends the process, which must not go on as its parent would.
void leave_the_first_cpu() noexcept {
  try {
    use_all_but_first();
  } catch (const std::system_error&) {
    ::_exit(1);
  }
}

[[noreturn]] void run_client(int control, const std::vector<descriptor>& connections) {
  exchange_order order;
  if (!receive_object(control, order)) ::_exit(1);
  const auto tally = std::make_unique<client_tally>();
  exchange_messages(connections, order, *tally);
  for (const auto& connection : connections) ::shutdown(connection.get(), SHUT_RDWR);
  tally->used = used_by_this_process();
  ::_exit(send_object(control, *tally) ? 0 : 1);
}

}  // namespace

echo_client::echo_client(std::vector<descriptor_pair>& connections, bool bound) {
  auto control = connect_to_child();
  std::vector<descriptor> own;
  own.reserve(connections.size());
  for (auto& connection : connections) own.push_back(std::move(connection.client));
  const auto parent = ::getpid();
  process_ = ::fork();
  if (process_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (process_ == 0) {
    die_with(parent);
    if (bound) leave_the_first_cpu();
    for (auto& connection : connections) connection.server.close();
    control.server.close();
    run_client(control.client.get(), own);
  }
  control_ = std::move(control.server);
}

echo_client::~echo_client() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

void echo_client::start(clock::time_point deadline, std::uint64_t least_requests) noexcept {
  send_object(control_.get(), exchange_order{deadline, least_requests});
}

bool echo_client::has_ended() const noexcept {
  ::pollfd report{.fd = control_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&report, 1, 0) > 0;
}

std::optional<client_tally> echo_client::finish(clock::duration time) noexcept {
  const auto all = std::chrono::ceil<std::chrono::microseconds>(time);
  ::timeval limit{};
  limit.tv_sec = static_cast<time_t>(all.count() / 1'000'000);
  limit.tv_usec = static_cast<suseconds_t>(all.count() % 1'000'000);
  ::setsockopt(control_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  std::optional<client_tally> tally(std::in_place);
  if (!receive_object(control_.get(), *tally)) return std::nullopt;
  ::waitpid(process_, nullptr, 0);
  process_ = -1;
  return tally;
}

}  // namespace conch::lab
