// SPDX-License-Identifier: MIT
#include "options.hpp"

#include <charconv>
#include <string_view>

namespace conch::bench {

namespace {

constexpr unsigned most_rounds = 1000;

/// Whether the argument is name=value.
bool take_value(std::string_view argument, std::string_view name, std::string_view& value) {
  if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
  value = argument.substr(name.size() + 1);
  return true;
}

bool parse_rounds(std::string_view text, unsigned& rounds) {
  const auto* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, rounds);
  return parsed.ec == std::errc{} && parsed.ptr == end && rounds >= 1 && rounds <= most_rounds;
}

}  // namespace

pace pace::quick() {
  using std::chrono::milliseconds;
  return {.rounds = 1,
          .alone = milliseconds(20),
          .contended = milliseconds(25),
          .handoffs = milliseconds(50),
          .passing = milliseconds(30),
          .counting_futex_calls = milliseconds(15)};
}

options parse(int argc, char** argv) {
  options result;
  result.for_google_benchmark.push_back(argv[0]);
  std::string_view rounds;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    std::string_view value;
    if (argument == "--help" || argument == "-h") {
      result.help = true;
    } else if (argument == "--machine") {
      result.machine = true;
    } else if (argument == "--quick") {
      result.pace = pace::quick();
    } else if (argument == "--benchmark_list_tests" || argument == "--benchmark_list_tests=true") {
      result.list_only = true;
    } else if (take_value(argument, "--rounds", value)) {
      rounds = value;
      if (!parse_rounds(value, result.pace.rounds))
        result.error = "--rounds takes a number from 1 to 1000, not '" + std::string(value) + "'";
    } else {
      if (take_value(argument, "--benchmark_out", value)) result.json = value;
      result.for_google_benchmark.push_back(argv[i]);
    }
  }
  if (!rounds.empty() && result.error.empty()) parse_rounds(rounds, result.pace.rounds);
  if (result.list_only) result.pace.rounds = 1;  // each name once
  return result;
}

std::string help_text() {
  return R"(usage: conch-bench [--quick] [--machine] [--rounds=N] [--benchmark_...]

Measures conch's locks beside those that a program could use instead, as ratios to std::mutex in the
same run. All of it takes about 12 minutes.

  --quick                     a minute, for a first look: one short round
  --machine                   what the machine itself takes for the steps that locks are made of: a
                              compare-and-swap, a clock read, a wake … (a few seconds)
  --rounds=N                  every lock of a row is measured N times, in turn (by default 3); the
                              tables show medians
  --benchmark_filter=REGEX    only the benchmarks whose name has REGEX in it, or, after a -, has not;
                              a name is ROW/LOCK, e.g. contended/20ns/threads:4/fmq_lock
  --benchmark_list_tests      print the names
  --benchmark_out=FILE        keep every single measurement, with all counters, as JSON

What is measured, by row:
  uncontended                 lock and unlock, by the only thread that uses the lock
  checkpoint                  a checkpoint with nobody waiting; of std::mutex, unlock and lock
  contended/S/threads:N       N threads lock, compute for S on a cache line that all share, unlock,
                              and compute for N x 100 ns: the time of a round that does not need the
                              lock grows with the threads, and so contention stays the same
  saturated/S/threads:N       the same without any work from unlock to lock
  queue/waiters:N             one thread holds the lock until N others have called lock() and, 200 us
                              later, are asleep; from just before its unlock() to the return of the
                              lock() of another thread. Who has unlocked waits in the queue again
                              before that one unlocks
  pass/waiters:N              N + 1 threads, of which each that gets the lock lets it pass on at once:
                              yield(), or unlock() and lock(); the time from one change of the holder
                              to the next
  ping-pong                   as queue, with two threads, and the holder unlocks as soon as the other
                              one calls lock(): nobody has to be asleep yet
  visit                       one thread keeps the lock, with a checkpoint, or unlock() and lock(), after
                              each 50 ns of work; another one comes every 5 us: the mean time that it
                              needs to lock and to unlock

Beside the time, which the ratios are of, contended and saturated rows have: Jain's index over the
threads' acquisitions, and context switches, in the same run, in which no thread looks at a clock;
in a second one, with looks at the clock in the place of as much work, each acquisition's wait, and
Jain's index over hold times; in a third one, in a child process, futex calls. others says how many
CPUs other programs kept busy meanwhile.

Ctrl-C ends it at once and prints what has been measured; the exit status is then 130. It is 1 if
something could not be measured, 2 if the command line is wrong.
)";
}

}  // namespace conch::bench
