// SPDX-License-Identifier: MIT
#include "peer_server.hpp"

#include <fmt/format.h>

#include <sstream>
#include <system_error>

namespace conch::lab {

namespace {

std::vector<std::string> command_of(const runtime& runtime, unsigned hogs) {
  auto command = runtime.command;
  command.push_back(std::to_string(hogs));
  return command;
}

}  // namespace

peer_server::peer_server(const runtime& runtime, unsigned hogs, interrupts& interrupts)
    : program_(command_of(runtime, hogs)), interrupts_(interrupts) {
  const auto line = next_line();
  if (!line) {
    check_alive();
    throw failure("does not start to serve");
  }
  if (!(std::istringstream(*line) >> port_) || port_ == 0)
    throw failure(fmt::format("wrote '{}' where its port should be", *line));
}

std::optional<std::string> peer_server::next_line() {
  std::optional<std::string> line;
  const auto answered = [&] {
    line = program_.next_line();
    return line || program_.status();
  };
  wait_until(answered, clock::now() + patience, interrupts_);
  return line ? line : program_.next_line();  // which may have come with its end
}

descriptor peer_server::connect() const {
  try {
    return connect_to_port(port_);
  } catch (const std::system_error& error) {
    throw failure(fmt::format("takes no connection: {}", error.what()));
  }
}

std::optional<peer_server::hog_count> peer_server::count() {
  program_.send_line("");
  const auto line = next_line();
  check_alive();
  hog_count count;
  if (!line) return std::nullopt;
  if (!(std::istringstream(*line) >> count.work >> count.at))
    throw failure(fmt::format("wrote '{}' where the hogs' work should be", *line));
  return count;
}

cpu_time peer_server::used() {
  check_alive();
  return program_.used();
}

void peer_server::check_alive() {
  if (const auto status = program_.status())
    throw failure(fmt::format("ended with status {}", *status));
}

peer_failure peer_server::failure(const std::string& what) const {
  const auto complaint = program_.complaint();
  return peer_failure(complaint.empty() ? what : what + ": " + complaint);
}

}  // namespace conch::lab
