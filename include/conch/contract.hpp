// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace conch {

/// What a program did that a lock does not allow.
struct contract_violation {
  const char* lock;       ///< the kind of lock, as in lock_traits::name
  const char* rule;       ///< the rule that was broken, in words
  const void* address;    ///< the lock
  std::uintptr_t thread;  ///< the thread that broke it, as Platform::this_thread() names it
};

/// Called on a contract violation, on the thread that broke the rule, without any of the lock's
/// internal mutexes held. It may throw, except where a destructor finds the violation; where it
/// returns, the program ends with the usual message.
using contract_handler = void (*)(const contract_violation&);

namespace detail {

/// True in builds that check contracts on fast paths too.
#if defined(CONCH_CHECKED)
inline constexpr bool checked = true;
#else
inline constexpr bool checked = false;
#endif

struct CONCH_SHARED contract_handler_slot {
  std::atomic<contract_handler> handler{nullptr};
};

/// An argument is out of range: throws std::invalid_argument, or ends the program where it is compiled
/// without exceptions.
[[noreturn]] inline void reject(const std::string& what) {
#if defined(__cpp_exceptions)
  throw std::invalid_argument(what);
#else
  posix_platform::die(("conch: " + what).c_str());
#endif
}

}  // namespace detail

/// Sets the handler of the whole process and returns the one before; nullptr is the default one,
/// which prints one line to the error stream and aborts.
inline contract_handler set_contract_handler(contract_handler handler) noexcept {
  return posix_platform::of_this_process<detail::contract_handler_slot>().handler.exchange(
      handler, std::memory_order_seq_cst);
}

/// Reports a violation. Returns to nobody, but may throw what the handler throws.
template <class Platform>
[[noreturn]] void violate_contract(const char* lock, const char* rule, const void* address) {
  const contract_violation violation{lock, rule, address, Platform::this_thread()};
  if (const auto handler =
          posix_platform::of_this_process<detail::contract_handler_slot>().handler.load(
              std::memory_order_seq_cst))
    handler(violation);
  char line[256];
  std::snprintf(line, sizeof line, "conch: %s at %p: %s (thread %#llx)", lock, address, rule,
                static_cast<unsigned long long>(violation.thread));
  Platform::die(line);
}

}  // namespace conch
