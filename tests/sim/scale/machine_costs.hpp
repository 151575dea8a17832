// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>

namespace conch::sim::scale {

using duration = std::chrono::nanoseconds;

/// A cost that lies somewhere in a range; each time, the model draws where.
struct cost_range {
  duration least;
  duration most;
};

/// What things cost on the simulated machine: all of the model's figures of time.
///
/// "Measured" is what `conch-bench --machine` printed on one machine with two cores,
/// an AMD EPYC under Debian 12 in a virtual machine. "Fitted" was chosen so that the model gives a
/// measured figure back. "Assumed" is neither: a usual value.
struct machine_costs {
  /// A line of the cache that another core has written last, or has too when one is written.
  /// Measured: a handoff between two spinning threads, one way.
  cost_range cache_line{duration(50), duration(70)};
  /// A read-modify-write of a line that the core has to itself. Measured: 4.7 ns for an uncontended
  /// lock and unlock, of one each. Other loads and stores of such a line are free.
  duration modify{2};
  /// Measured.
  duration clock_read{24};
  /// One turn of a spin loop. Measured.
  duration relax{25};
  /// From the end of the call that wakes a thread until it runs on a core that was idle. Measured: 20.1
  /// µs from the beginning of the call.
  cost_range wake_from_idle{duration(12'000), duration(15'000)};
  /// A core leaves one thread for another. Fitted, with wake_call: a wake, a wait and a switch of two
  /// threads that share a core take 1.94 µs.
  duration context_switch{1'200};
  /// Any system call, in its caller. Measured.
  duration system_call{170};
  /// What waking one sleeper costs the waker on top of the call, where no core is idle.
  duration wake_call{400};
  /// The same where the waker has to rouse an idle core. Measured.
  duration wake_call_to_idle{6'300};
  /// The send of a message over the loopback, whose way to the receiver is the sender's work.
  /// Fitted, with the next: a round trip of the echo without hogs takes 17 µs on one core, which is
  /// never idle, and 53 µs on more, where each of its two wakes finds an idle core. Measured were
  /// about 18 µs beside a CPU that is kept busy, and about 53 µs without.
  duration network_send{5'600};
  /// The receipt of a message that has come.
  duration network_receive{1'000};
  /// How late a sleep with a deadline ends. Linux's default for ordinary threads.
  cost_range timer_slack{duration(0), duration(50'000)};
  /// The longest time on a core while others wait for it. Assumed, as the next two: CFS's order.
  duration time_slice{3'000'000};
  /// How much less time on a core a woken thread must have had to put another off its core.
  duration wake_advantage{1'000'000};
  /// How much less than the least the others have had a thread counts for that comes from a sleep.
  duration sleeper_credit{3'000'000};
};

}  // namespace conch::sim::scale
