// SPDX-License-Identifier: MIT
#pragma once

#include "message.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace conch::lab {

/// Owns a file descriptor.
class descriptor {
public:
  descriptor() noexcept = default;
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor() { close(); }

  void close() noexcept;
  [[nodiscard]] int get() const noexcept { return number_; }

private:
  int number_ = -1;
};

struct descriptor_pair {
  descriptor server;
  descriptor client;
};

// All of these throw std::system_error.

/// Both ends of a TCP connection over the loopback, with Nagle's algorithm off.
descriptor_pair connect_over_loopback();

/// The client's end of a TCP connection to a port of this machine, with Nagle's algorithm off.
descriptor connect_to_port(std::uint16_t port);

/// Both ends of a connection between a process and the child that it is about to fork.
descriptor_pair connect_to_child();

// These two return false if the other side has closed the connection or either side has shut it
// down.

bool send_all(int socket, std::span<const std::byte> bytes) noexcept;
bool receive_all(int socket, std::span<std::byte> bytes) noexcept;

/// Wakes whoever is blocked in receive_all() on this socket, and lets nobody receive any more.
void stop_receiving(int socket) noexcept;

template <class T>
bool send_object(int socket, const T& object) noexcept {
  return send_all(socket, std::as_bytes(std::span(&object, 1)));
}

template <class T>
bool receive_object(int socket, T& object) noexcept {
  return receive_all(socket, std::as_writable_bytes(std::span(&object, 1)));
}

}  // namespace conch::lab
