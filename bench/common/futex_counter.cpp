// SPDX-License-Identifier: MIT
#include "futex_counter.hpp"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>

namespace conch::bench {

namespace {

std::atomic<std::uint64_t> calls{0};

/// In the upper half of the operation, which the kernel does not read: a call by the handler.
constexpr std::uint32_t by_handler = 0x636f6e63;

#if defined(__x86_64__)
constexpr std::uint32_t architecture = AUDIT_ARCH_X86_64;
using word = ::greg_t;
std::array<word, 6> arguments(const ::ucontext_t& context) {
  const auto& registers = context.uc_mcontext.gregs;
  return {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
          registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
}
void set_result(::ucontext_t& context, long result) { context.uc_mcontext.gregs[REG_RAX] = result; }
#else
constexpr std::uint32_t architecture = AUDIT_ARCH_AARCH64;
using word = unsigned long long;
std::array<word, 6> arguments(const ::ucontext_t& context) {
  const auto& registers = context.uc_mcontext.regs;
  return {registers[0], registers[1], registers[2], registers[3], registers[4], registers[5]};
}
void set_result(::ucontext_t& context, long result) {
  context.uc_mcontext.regs[0] = static_cast<word>(result);
}
#endif

void count_and_call(int, ::siginfo_t*, void* where) {
  const int error = errno;
  auto& context = *static_cast<::ucontext_t*>(where);
  calls.fetch_add(1, std::memory_order_relaxed);  // a count, which orders nothing
  const auto call = arguments(context);
  const auto operation =
      static_cast<long>(std::uint64_t{by_handler} << 32U | static_cast<std::uint32_t>(call[1]));
  const auto result = ::syscall(SYS_futex, call[0], operation, call[2], call[3], call[4], call[5]);
  set_result(context, result == -1 ? -errno : result);
  errno = error;
}

bool handle_signal() noexcept {
  struct ::sigaction action {};
  action.sa_sigaction = count_and_call;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_NODEFER | SA_RESTART);
  return ::sigaction(SIGSYS, &action, nullptr) == 0;
}

}  // namespace

bool count_futex_calls_of_this_thread() noexcept {
  static const bool handled = handle_signal();
  constexpr auto operation_above = offsetof(::seccomp_data, args) + 8 + 4;  // little-endian
  std::array<::sock_filter, 8> filter{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 0, 4),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(::seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 2),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, operation_above),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, by_handler, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  }};
  const ::sock_fprog program{.len = filter.size(), .filter = filter.data()};
  return handled && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

std::uint64_t futex_calls() noexcept { return calls.load(std::memory_order_relaxed); }

}  // namespace conch::bench

#else

namespace conch::bench {

bool count_futex_calls_of_this_thread() noexcept { return false; }
std::uint64_t futex_calls() noexcept { return 0; }

}  // namespace conch::bench

#endif
