// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

namespace conch::lab {

/// What goes to and fro: 64 bytes, of which every one is checked.
struct message {
  std::uint64_t sequence = 0;
  std::array<std::uint64_t, 6> payload{};
  std::uint64_t checksum = 0;

  bool operator==(const message&) const = default;
};
static_assert(sizeof(message) == 64);

message make_message(std::uint64_t sequence) noexcept;

/// True if it is, byte for byte, what make_message() makes.
bool intact(const message& message) noexcept;

}  // namespace conch::lab
