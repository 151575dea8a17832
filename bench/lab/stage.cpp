// SPDX-License-Identifier: MIT
#include "stage.hpp"

#include "../common/futex_counter.hpp"
#include "bystanders.hpp"
#include "cpus.hpp"

#include <utility>

namespace conch::lab {

namespace {

enum class role : unsigned char { computes, serves };

/// Has the calling thread keep to the CPUs of its role, where the plan says so.
void bind(const run_plan& plan, role role) {
  if (!plan.bound) return;
  if (role == role::computes)
    use_only(1);
  else
    use_all_but_first();
}

/// Hands out the names by which the turn knows its threads.
class cast {
public:
  cast(thread_group& threads, stage& stage) : threads_(threads), stage_(stage) {}

  /// Adds a thread that uses the lock: play(part) in the part of a thread.
  template <class Play>
  void add(role role, Play play) {
    const part part{.self = next_++, .unit = stage_.plan.unit};
    threads_.add([&stage = stage_, role, part, play = std::move(play)] {
      bind(stage.plan, role);
      if (stage.plan.count_futex_calls && !bench::count_futex_calls_of_this_thread())
        stage.futex_calls_escaped.store(true, std::memory_order_relaxed);  // read after the join
      play(part);
    });
  }

private:
  thread_group& threads_;
  stage& stage_;
  turn::thread next_ = 0;
};

/// Of one answer, in units of work.
unsigned burst_of(const run_plan& plan) {
  return plan.burst > clock::duration::zero() ? static_cast<unsigned>(plan.burst / plan.unit.time)
                                              : 0;
}

}  // namespace

stage::stage(const lock_entry& lock, const run_plan& planned)
    : plan(planned),
      contest(lock.make_contest()),
      hogs(plan.hogs),
      echoes(plan.connections),
      burners(plan.burners) {}

account stage::total() const {
  auto sum = adversary;
  for (const auto& hog : hogs) sum += hog;
  for (const auto& echo : echoes) sum += echo.account;
  return sum;
}

void add_threads(thread_group& threads, stage& stage) {
  const auto& plan = stage.plan;
  cast cast(threads, stage);
  for (std::size_t i = 0; i < plan.hogs; ++i)
    cast.add(role::computes,
             [&stage, i, spacing = plan.spacings[i % plan.spacings.size()]](part part) {
               stage.hogs[i] = stage.contest->hog(part, spacing, stage.stop);
             });
  if (plan.adversary)
    cast.add(role::computes, [&stage](part part) {
      stage.adversary = stage.contest->play(part, *stage.plan.adversary, stage.stop);
    });
  for (std::size_t i = 0; i < plan.connections; ++i)
    cast.add(role::serves, [&stage, i, burst = burst_of(plan)](part part) {
      stage.echoes[i] = stage.contest->serve(part, stage.connections[i].get(), burst);
    });
  for (std::size_t i = 0; i < plan.burners; ++i)
    threads.add([&stage, i] {
      bind(stage.plan, role::computes);
      stage.burners[i] = burn(stage.plan.unit, stage.stop);
    });
  if (plan.watch_scheduler)
    threads.add([&stage] { stage.scheduler_delay = watch_scheduler(stage.stop); });
}

void end_parts(stage& stage) noexcept {
  stage.stop.store(true, std::memory_order_relaxed);  // threads only have to see it, in time
  for (const auto& connection : stage.connections) stop_receiving(connection.get());
}

}  // namespace conch::lab
