// SPDX-License-Identifier: MIT
#include "interrupts.hpp"

#include "../common/latency_histogram.hpp"
#include "../common/text_table.hpp"

#include <fmt/format.h>
#include <conch/conch.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <memory>
#include <semaphore>
#include <thread>
#include <vector>

#include <unistd.h>

namespace conch::bench {

namespace {

using clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto bound = 20ms;
constexpr int signo = SIGINT;
/// How many checkpoints of the computing threads are enough to say that a handler does not run.
constexpr std::uint64_t long_enough = 20'000;

template <class Lock>
class trial {  // NOLINT(*Padding): one at a time
public:
  trial(int tries, unsigned hogs) : tries_(tries), owner_(), over_(owner_) {
    for (unsigned i = 0; i < hogs; ++i) hogs_.emplace_back([this] { compute(); });
  }

  /// The wait of the kit.
  std::vector<std::string> interruptible() {
    const auto here = owner_.attach();
    owner_.on_signal(signo, [this](int) { handled(); });
    std::thread sender([this] {
      for (int i = 0; i < tries_; ++i) {
        sent_ = clock::now();
        ::kill(::getpid(), signo);
        answered_.acquire();
      }
      const auto there = owner_.attach();
      end();
    });
    over_.wait([this] { return is_over_; });
    {
      const released outside(owner_);
      sender.join();
      for (auto& hog : hogs_) hog.join();
    }
    return row("condition::wait");
  }

  /// A wait that nothing ends but what it waits for. The handler may run when it is over.
  std::vector<std::string> uninterruptible() {
    const auto here = owner_.attach();
    owner_.on_signal(signo, [this](int) { handled(); });
    {
      const released outside(owner_);
      std::thread sender([this] {
        for (int i = 0; i < tries_; ++i) {
          const auto before = checkpoints_.load();
          ::kill(::getpid(), signo);
          while (checkpoints_.load() < before + long_enough / static_cast<unsigned>(tries_) + 1)
            std::this_thread::yield();
        }
        const auto there = owner_.attach();
        end();
      });
      sender.join();
      for (auto& hog : hogs_) hog.join();
    }
    return row("join of a std::thread");
  }

private:
  void compute() {
    const auto here = owner_.attach();
    while (!is_over_) {
      for (int i = 0; i < 100; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      owner_.checkpoint();
      // Relaxed: a number.
      checkpoints_.store(checkpoints_.load(std::memory_order_relaxed) + 1,
                         std::memory_order_relaxed);
    }
  }

  void handled() {
    const auto took = clock::now() - sent_;
    if (took <= bound) ++in_time_;
    latencies_.record(took);
    answered_.release();
  }

  void end() {
    is_over_ = true;
    over_.notify_all();
  }

  std::vector<std::string> row(const std::string& wait) {
    const auto ms = [](clock::duration time) {
      return fmt::format("{:.2f} ms", std::chrono::duration<double, std::milli>(time).count());
    };
    const bool any = latencies_.count() != 0;
    return {Lock::traits.name,
            wait,
            fmt::format("{}", tries_),
            fmt::format("{}", latencies_.count()),
            fmt::format("{}", in_time_),
            any ? ms(latencies_.quantile(0.5)) : "–",
            any ? ms(latencies_.longest()) : "–"};
  }

  int tries_;
  runtime<Lock> owner_;
  condition<Lock> over_;
  std::vector<std::thread> hogs_;
  bool is_over_ = false;  // guarded by the runtime's lock, as is what is measured
  int in_time_ = 0;
  lab::latency_histogram latencies_;
  clock::time_point sent_;  // written before the signal is sent
  std::atomic<std::uint64_t> checkpoints_{0};
  std::counting_semaphore<> answered_{0};
};

}  // namespace

std::string table_of_interrupts(int tries, unsigned hogs) {
  text_table table({"", "the main thread\nblocks in", "\ntries", "\nhandled", "within\n20 ms",
                    "\np50", "\nlongest"});
  const auto fresh = [&]<class Lock>(std::unique_ptr<Lock>) {
    return std::make_unique<trial<Lock>>(tries, hogs);
  };
  table.add(fresh(std::unique_ptr<fmq_lock>())->interruptible());
  table.add(fresh(std::unique_ptr<timed_gil>())->interruptible());
  table.add(fresh(std::unique_ptr<tick_gil>())->interruptible());
  table.add(fresh(std::unique_ptr<tick_gil>())->uninterruptible());
  return table.text();
}

}  // namespace conch::bench
