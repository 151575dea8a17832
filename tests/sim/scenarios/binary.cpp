// SPDX-License-Identifier: MIT
#include "scenarios.hpp"

#include <conch/pthread_lock.hpp>
#include <conch/sem_lock.hpp>

namespace conch::sim {
namespace {

using namespace std::chrono_literals;

template <class Lock>
void add(scenarios& all, const std::string& name) {
  const auto make = [] { return std::make_unique<guarded<Lock>>(); };
  add_common(all, name, make, {}, 10us, {}, {{0, 0, 0}, {1, 1, 1}, {2, 1, 1}}, 20'000);
  // Mixed waits with no lock free and nobody to ask: what loses a wake-up loses it here.
  all.push_back({name + "/signals",
                 [=] {
                   const auto shared = make();
                   threads crowd;
                   crowd.add([&] { shared->hold(10us); });
                   crowd.add([&] {
                     if (shared->try_for(pick(2) * 10us, 20us)) shared->unlock();
                   });
                   crowd.add([&] {
                     if (shared->try_for(10us, 20us)) shared->unlock();
                   });
                   crowd.add([&] { shared->hold(10us); });
                   crowd.join();
                 },
                 {},
                 {{0, 0, 0}, {1, 0, 0}},
                 20'000});
}

}  // namespace

void add_binary_scenarios(scenarios& all) {
  add<basic_pthread_lock<sim_platform>>(all, "pthread_lock");
  add<basic_sem_lock<sim_platform>>(all, "sem_lock");
}

}  // namespace conch::sim
