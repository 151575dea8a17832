// SPDX-License-Identifier: MIT
#include "workloads.hpp"

namespace conch::lab {

const std::vector<workload>& all_workloads() {
  static const auto all = [] {
    std::vector<workload> built{
        {"native", "compiled code", all_locks(), without_lock(), calibrate_work}};
#if defined(CONCH_LAB_LUA)
    built.push_back(lua_workload());
#endif
    return built;
  }();
  return all;
}

}  // namespace conch::lab
