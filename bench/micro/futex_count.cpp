// SPDX-License-Identifier: MIT
#include "futex_count.hpp"

#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__))
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdlib>

namespace conch::bench {

namespace {

constexpr unsigned patience = 20;  // seconds

std::atomic<std::uint64_t> calls{0};
const char* missing = "";

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

/// Has every futex call of the threads to come, but for the handler's own, raise SIGSYS.
bool trap_futex_calls() {
  struct ::sigaction action {};
  action.sa_sigaction = count_and_call;
  action.sa_flags = static_cast<int>(SA_SIGINFO | SA_NODEFER);
  if (::sigaction(SIGSYS, &action, nullptr) != 0) return false;
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
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

[[noreturn]] void be_the_child(int out, const std::function<double()>& measure) {
  ::alarm(patience);
  if (trap_futex_calls()) {
    const double result = measure();
    if (::write(out, &result, sizeof result) == sizeof result) ::_exit(EXIT_SUCCESS);
  }
  ::_exit(EXIT_FAILURE);
}

std::optional<double> result_of_child(int in, ::pid_t child) {
  double result = 0;
  ::ssize_t got = 0;
  do got = ::read(in, &result, sizeof result);
  while (got < 0 && errno == EINTR);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (got == sizeof result) return result;
  const bool forbidden = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE;
  missing = forbidden ? "the system allows no seccomp filter" : "a process that counted failed";
  return std::nullopt;
}

}  // namespace

std::uint64_t futex_calls() noexcept { return calls.load(std::memory_order_relaxed); }

const char* why_no_futex_count() noexcept { return missing; }

std::optional<double> counting_futex_calls(const std::function<double()>& measure) {
  std::array<int, 2> pipe{};
  if (::pipe(pipe.data()) != 0) return std::nullopt;
  const auto child = ::fork();
  if (child == 0) be_the_child(pipe[1], measure);
  ::close(pipe[1]);
  const auto result = child > 0 ? result_of_child(pipe[0], child) : std::nullopt;
  ::close(pipe[0]);
  return result;
}

}  // namespace conch::bench

#else

namespace conch::bench {

std::uint64_t futex_calls() noexcept { return 0; }

std::optional<double> counting_futex_calls(const std::function<double()>&) { return std::nullopt; }

const char* why_no_futex_count() noexcept { return "only on Linux, x86-64 and ARM64"; }

}  // namespace conch::bench

#endif
