// SPDX-License-Identifier: MIT
#pragma once

#include "clock.hpp"

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace conch::lab {

/// Threads that begin together, and that can be given up on if they never end.
class thread_group {
public:
  thread_group() : gate_(std::make_shared<gate>()) {}
  /// Lets all of them begin if they have not, and waits for them.
  ~thread_group();
  thread_group(const thread_group&) = delete;
  thread_group& operator=(const thread_group&) = delete;

  /// Adds a thread, which waits for open(). Throws std::system_error.
  void add(std::function<void()> body);

  /// Lets all of them begin.
  void open();

  /// True if all have ended, and have been joined, by `time` from now. Otherwise they are left
  /// to themselves, for ever: what they use must not go away.
  [[nodiscard]] bool join_within(clock::duration time);

private:
  struct gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
    std::size_t inside = 0;
  };

  std::shared_ptr<gate> gate_;  // shared, since abandoned threads may yet use it
  std::vector<std::thread> threads_;
};

}  // namespace conch::lab
