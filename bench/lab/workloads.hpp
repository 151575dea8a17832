// SPDX-License-Identifier: MIT
#pragma once

#include "locks.hpp"
#include "work.hpp"

#include <string>
#include <vector>

namespace conch::lab {

/// What hogs and echo server are made of.
struct workload {
  std::string name;
  std::string what;  ///< that is, in words
  std::vector<lock_entry> locks;
  lock_entry without_lock;  ///< for a hog alone
  work_unit (*calibrate)() = nullptr;
};

/// Those that were built: the first one is the usual one.
const std::vector<workload>& all_workloads();

/// Scripts on a Lua machine.
inline constexpr const char* lua_workload_name = "lua";
#if defined(CONCH_LAB_LUA)
inline constexpr bool has_lua = true;
workload lua_workload();
#else
inline constexpr bool has_lua = false;
#endif

}  // namespace conch::lab
