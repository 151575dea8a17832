// SPDX-License-Identifier: MIT
#pragma once

#include <conch/platform/posix.hpp>

#include <pthread.h>
#include <signal.h>  // NOLINT(*deprecated-headers): sigaction() is of POSIX
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#if defined(CONCH_LINUX)
#include <sys/syscall.h>
#endif

namespace conch {

/// What a runtime needs of the process as a whole: signals and forks. With posix.hpp the only header
/// that names the operating system.
struct CONCH_SHARED posix_process {
  /// A thread as the kernel knows it, to send it signals. Sending to one that has ended does nothing.
  class native_thread {
  public:
#if defined(CONCH_LINUX)
    /// The calling thread.
    static native_thread self() noexcept { return {::getpid(), ::syscall(SYS_gettid)}; }
    /// Async-signal-safe. Keeps errno. Does nothing in a forked child: the thread is its parent's.
    void send(int signo) const noexcept {
      if (::getpid() != process_) return;
      const int kept = errno;
      ::syscall(SYS_tgkill, process_, thread_, signo);
      errno = kept;
    }
    /// Whether it is the calling thread.
    [[nodiscard]] bool is_caller() const noexcept { return ::syscall(SYS_gettid) == thread_; }

  private:
    native_thread(::pid_t process, long thread) noexcept : process_(process), thread_(thread) {}
    ::pid_t process_;
    long thread_;
#else  // there the thread must still exist
    static native_thread self() noexcept { return native_thread(::pthread_self()); }
    void send(int signo) const noexcept { ::pthread_kill(thread_, signo); }
    [[nodiscard]] bool is_caller() const noexcept {
      return ::pthread_equal(::pthread_self(), thread_) != 0;
    }

  private:
    explicit native_thread(::pthread_t thread) noexcept : thread_(thread) {}
    ::pthread_t thread_;
#endif
  };

  // Signals --------------------------------------------------------------------------------------

  /// Signal numbers are 1 to most_signals.
  static constexpr int most_signals = 64;

  /// Throws std::invalid_argument for a number that is none.
  static void check_signal(int signo) {
    if (signo < 1 || signo > most_signals)
      throw std::invalid_argument("signal number " + std::to_string(signo) + "; it must be 1 to " +
                                  std::to_string(most_signals));
  }

  /// Somebody who is told of the signals that it listens to.
  class signal_listener {
  public:
    /// Called with the object itself.
    using function = void (*)(signal_listener& self, int signo) noexcept;
    /// `arrived` is called in the signal's handler, and must be async-signal-safe.
    explicit signal_listener(function arrived) noexcept : arrived_(arrived) {}

  private:
    friend struct posix_process;
    function arrived_;
  };

  /// From now on, the signal calls listener.arrived() in its handler, on whichever thread it comes to;
  /// a blocking call that it ends fails with EINTR. Throws as check_signal(), and std::system_error if
  /// the signal cannot be caught or another listener has it.
  static void listen(int signo, signal_listener& listener) {
    check_signal(signo);
    auto& mine = of(signo);
    signal_listener* nobody = nullptr;
    if (!mine.listener.compare_exchange_strong(nobody, &listener, std::memory_order_seq_cst)) {
      if (nobody == &listener) return;
      throw std::system_error(EBUSY, std::generic_category(),
                              "signal " + std::to_string(signo) + " has a listener already");
    }
    struct ::sigaction action {};
    action.sa_handler = arrive;
    action.sa_flags = SA_ONSTACK;
    ::sigfillset(&action.sa_mask);
    if (::sigaction(signo, &action, &mine.before) == 0) return;
    const int error = errno;
    mine.listener.store(nullptr, std::memory_order_seq_cst);
    throw std::system_error(error, std::generic_category(),
                            "signal " + std::to_string(signo) + " cannot be caught");
  }

  /// Gives the signal back to whoever had it before. On return no handler calls the listener any more.
  /// Precondition: the number is one.
  static void stop_listening(int signo, signal_listener& listener) noexcept {
    auto& mine = of(signo);
    if (mine.listener.load(std::memory_order_seq_cst) != &listener) return;
    ::sigaction(signo, &mine.before, nullptr);
    mine.listener.store(nullptr, std::memory_order_seq_cst);
    while (table().inside.load(std::memory_order_seq_cst) != 0) posix_platform::yield();
  }

  /// In a forked child: the handlers that ran on other threads are gone.
  static void reset_after_fork() noexcept { table().inside.store(0, std::memory_order_seq_cst); }

  // Forks ----------------------------------------------------------------------------------------

  /// When, of a fork.
  enum class fork_moment { before, after_in_parent, after_in_child };

  /// Somebody who is told of each fork() of the process, on the thread that forks. Without virtual
  /// functions, so that an object with static storage can be told when it has been destroyed.
  class fork_follower {
  public:
    /// Called with the object itself.
    using function = void (*)(fork_follower& self, fork_moment when);
    /// `tell` is called at each of the moments.
    explicit fork_follower(function tell) noexcept : tell_(tell) {}

  private:
    friend struct posix_process;
    function tell_;
    fork_follower* next_ = nullptr;
  };

  /// Precondition, for this and stop_following(): no thread forks meanwhile.
  static void follow_forks(fork_follower& follower) {
    auto& all = followers();
    static const int registered = ::pthread_atfork(
        [] {
          // The guard last: a follower may wait for a thread that is about to fork too.
          auto& list = followers();
          for (auto* f = list.first; f != nullptr; f = f->next_) f->tell_(*f, fork_moment::before);
          list.guard.lock();
        },
        [] {
          auto& list = followers();
          for (auto* f = list.first; f != nullptr; f = f->next_)
            f->tell_(*f, fork_moment::after_in_parent);
          list.guard.unlock();
        },
        [] {
          auto& list = followers();
          for (auto* f = list.first; f != nullptr; f = f->next_)
            f->tell_(*f, fork_moment::after_in_child);
          list.guard.unlock();
        });
    if (registered != 0) throw std::system_error(registered, std::generic_category(), "atfork");
    all.guard.lock();
    follower.next_ = all.first;
    all.first = &follower;
    all.guard.unlock();
  }

  /// Does nothing if it does not follow.
  static void stop_following(fork_follower& follower) noexcept {
    auto& all = followers();
    all.guard.lock();
    auto** link = &all.first;
    while (*link != nullptr && *link != &follower) link = &(*link)->next_;
    if (*link != nullptr) *link = follower.next_;
    all.guard.unlock();
  }

private:
  struct signal_entry {
    std::atomic<signal_listener*> listener{nullptr};
    struct ::sigaction before {};
  };
  struct CONCH_SHARED signal_table {
    std::array<signal_entry, most_signals> entries{};
    std::atomic<int> inside{0};  // handlers that run now
  };
  struct CONCH_SHARED follower_list {
    posix_platform::mutex guard;
    fork_follower* first = nullptr;
  };

  static signal_table& table() noexcept { return posix_platform::of_this_process<signal_table>(); }
  static follower_list& followers() noexcept {
    return posix_platform::of_this_process<follower_list>();
  }
  static signal_entry& of(int signo) noexcept {
    return table().entries[static_cast<std::size_t>(signo) - 1];
  }

  static void arrive(int signo) noexcept {
    const int kept = errno;
    table().inside.fetch_add(1, std::memory_order_seq_cst);
    if (auto* const listener = of(signo).listener.load(std::memory_order_seq_cst))
      listener->arrived_(*listener, signo);
    table().inside.fetch_sub(1, std::memory_order_seq_cst);
    errno = kept;
  }
};

}  // namespace conch
