// SPDX-License-Identifier: MIT
#include "message.hpp"

namespace conch::lab {

// Each word is a step of splitmix64, so that no two messages have a word in common.
message make_message(std::uint64_t sequence) noexcept {
  message result;
  result.sequence = sequence;
  auto state = sequence;
  for (auto& word : result.payload) {
    state += 0x9e3779b97f4a7c15U;
    word = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9U;
    result.checksum ^= word;
  }
  return result;
}

bool intact(const message& message) noexcept { return message == make_message(message.sequence); }

}  // namespace conch::lab
