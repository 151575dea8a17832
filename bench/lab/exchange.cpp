// SPDX-License-Identifier: MIT
#include "exchange.hpp"

#include "message.hpp"

#include <poll.h>

#include <cstddef>

namespace conch::lab {

namespace {

/// One connection, of which the next request is to be sent or its echo to be received.
class exchange {
public:
  exchange(int connection, std::size_t number, const exchange_order& order, client_tally& tally)
      : connection_(connection), number_(number), order_(order), tally_(tally) {}

  /// False if it is over.
  bool send() {
    request_ = make_message(received_);
    sent_ = clock::now();
    if (sent_ >= order_.deadline && received_ >= order_.least_requests) return false;
    return send_object(connection_, request_) || give_up();
  }

  /// False if it is over.
  bool receive() {
    message echo;
    if (!receive_object(connection_, echo)) return give_up();
    const auto now = clock::now();
    ++received_;
    ++tally_.received;
    tally_.last_received = now;
    if (!check(echo)) return false;
    if (now > order_.deadline) {
      record_late();
      return true;
    }
    ++tally_.received_in_time[number_];
    tally_.latencies.record(now - sent_);
    return true;
  }

  [[nodiscard]] int connection() const noexcept { return connection_; }

private:
  /// A request that is still in flight when time is up has waited for long enough to count only if
  /// it is already the slowest one: that can never make a lock look better.
  void record_late() {
    const auto waited = order_.deadline - sent_;
    if (waited > tally_.latencies.longest()) tally_.latencies.record(waited);
  }

  /// False, to be returned: the connection is gone.
  bool give_up() {
    tally_.disconnected = true;
    record_late();
    return false;
  }

  /// True if the echo is what was sent.
  bool check(const message& echo) {
    if (echo == request_) return true;
    ++tally_.changed;
    if (intact(echo)) ++tally_.out_of_sequence;
    return false;
  }

  int connection_;
  std::size_t number_;
  const exchange_order& order_;
  client_tally& tally_;
  message request_;
  clock::time_point sent_;
  std::uint64_t received_ = 0;
};

/// In turns, as echoes come in.
void exchange_on_all(std::vector<exchange>& exchanges) {
  std::vector<::pollfd> sockets;
  std::size_t open = 0;
  for (auto& exchange : exchanges) {
    const bool sent = exchange.send();
    sockets.push_back({.fd = sent ? exchange.connection() : -1, .events = POLLIN, .revents = 0});
    open += sent ? 1U : 0U;
  }
  while (open != 0 && ::poll(sockets.data(), sockets.size(), -1) > 0) {
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      if (sockets[i].fd < 0 || sockets[i].revents == 0) continue;
      if (exchanges[i].receive() && exchanges[i].send()) continue;
      sockets[i].fd = -1;  // poll() passes over it
      --open;
    }
  }
}

}  // namespace

void exchange_messages(const std::vector<descriptor>& connections, const exchange_order& order,
                       client_tally& tally) {
  std::vector<exchange> exchanges;
  for (std::size_t i = 0; i < connections.size(); ++i)
    exchanges.emplace_back(connections[i].get(), i, order, tally);
  if (exchanges.size() > 1) return exchange_on_all(exchanges);
  // One needs no poll(): the receiving call waits for it.
  for (auto& exchange : exchanges)
    while (exchange.send() && exchange.receive()) {
    }
}

}  // namespace conch::lab
