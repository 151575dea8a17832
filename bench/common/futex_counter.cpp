// SPDX-License-Identifier: MIT
#include "futex_counter.hpp"

#if defined(__linux__) && defined(__x86_64__)

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>

// The one system call instruction whose futex calls the kernel lets pass. It knows the instruction
// by the address that follows it.
extern "C" long conch_let_futex_pass(long call, long a, long b, long c, long d, long e, long f);
extern "C" const char conch_futex_passed[];
asm(R"(
  .text
  .globl conch_let_futex_pass
  .hidden conch_let_futex_pass
  .type conch_let_futex_pass, @function
conch_let_futex_pass:
  movq %rdi, %rax
  movq %rsi, %rdi
  movq %rdx, %rsi
  movq %rcx, %rdx
  movq %r8, %r10
  movq %r9, %r8
  movq 8(%rsp), %r9
  syscall
  .globl conch_futex_passed
  .hidden conch_futex_passed
conch_futex_passed:
  ret
  .size conch_let_futex_pass, . - conch_let_futex_pass
)");

namespace conch::bench {

namespace {

std::atomic<std::uint64_t> calls{0};

/// Changes no errno: the call that it makes returns the error itself, as the kernel does.
void pass_on(int, ::siginfo_t*, void* interrupted) {
  calls.fetch_add(1, std::memory_order_relaxed);  // a count, which orders nothing
  auto* const registers = static_cast<::ucontext_t*>(interrupted)->uc_mcontext.gregs;
  registers[REG_RAX] =
      conch_let_futex_pass(SYS_futex, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                           registers[REG_R10], registers[REG_R8], registers[REG_R9]);
}

bool handle_signal() noexcept {
  struct ::sigaction action {};
  action.sa_sigaction = pass_on;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  return ::sigaction(SIGSYS, &action, nullptr) == 0;
}

/// The offset of half of a 64-bit field of what a filter sees.
constexpr auto instruction =
    static_cast<std::uint32_t>(offsetof(::seccomp_data, instruction_pointer));
constexpr std::uint32_t upper_half = 4;

constexpr ::sock_filter load(std::uint32_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}
/// Goes so many statements further if what was loaded is not `value`.
constexpr ::sock_filter unless_skip(std::uint32_t value, std::uint8_t statements) {
  return BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, statements);
}
constexpr ::sock_filter answer(std::uint32_t what) { return BPF_STMT(BPF_RET | BPF_K, what); }

}  // namespace

bool count_futex_calls_of_this_thread() noexcept {
  static const bool handled = handle_signal();
  const auto passed = reinterpret_cast<std::uintptr_t>(&conch_futex_passed);
  std::array filter{load(offsetof(::seccomp_data, arch)),
                    unless_skip(AUDIT_ARCH_X86_64, 6),
                    load(offsetof(::seccomp_data, nr)),
                    unless_skip(SYS_futex, 4),
                    load(instruction),
                    unless_skip(static_cast<std::uint32_t>(passed), 3),
                    load(instruction + upper_half),
                    unless_skip(static_cast<std::uint32_t>(passed >> 32), 1),
                    answer(SECCOMP_RET_ALLOW),
                    answer(SECCOMP_RET_TRAP)};
  const ::sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
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
