// SPDX-License-Identifier: MIT
#pragma once

#include "child_program.hpp"
#include "clock.hpp"
#include "interrupts.hpp"
#include "runtimes.hpp"
#include "sockets.hpp"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace conch::lab {

/// A runtime that did not do what it should; what() says so in words, its own among them.
class peer_failure : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// The echo program of a runtime, which bench/peers/README.md describes.
class peer_server {
public:
  /// Starts it with so many hogs. Throws peer_failure if it is not up within a few seconds.
  peer_server(const runtime& runtime, unsigned hogs, interrupts& interrupts);

  /// Throws peer_failure.
  [[nodiscard]] descriptor connect() const;

  /// What the hogs have done, up to some moment.
  struct hog_count {
    double work = 0;
    double at = 0;  ///< seconds, by the program's own clock
  };
  /// Nothing if it does not answer within a few seconds: hogs may keep it from hearing.
  std::optional<hog_count> count();

  /// The CPU time that it has used. Throws peer_failure if it has ended.
  cpu_time used();
  /// Throws peer_failure if it has ended.
  void check_alive();
  /// What went wrong, and what the program says about it.
  [[nodiscard]] peer_failure failure(const std::string& what) const;

private:
  std::optional<std::string> next_line();

  child_program program_;
  interrupts& interrupts_;
  std::uint16_t port_ = 0;
};

}  // namespace conch::lab
