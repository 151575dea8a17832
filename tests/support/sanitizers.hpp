// SPDX-License-Identifier: MIT
#pragma once

#include <csignal>

namespace conch::testing {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool under_tsan = true;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
inline constexpr bool under_tsan = true;
#else
inline constexpr bool under_tsan = false;
#endif
#else
inline constexpr bool under_tsan = false;
#endif

/// Code takes several times as long as in a plain build.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool instrumented = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool instrumented = true;
#else
inline constexpr bool instrumented = under_tsan;
#endif
#else
inline constexpr bool instrumented = under_tsan;
#endif

/// That many rounds, or a part of them where ThreadSanitizer makes each one slower.
constexpr int rounds(int plain) { return under_tsan ? (plain + 4) / 5 : plain; }

/// For threads that many signals come to, again and again. ThreadSanitizer runs the handlers that it has
/// put off with all signals blocked, and keeps the mask to go back to in one place for each thread. One
/// more that was put off just before is run by the first atomic operation of such a handler, and what is
/// gone back to from then on is the mask in which all are blocked.
inline void unblock_signals() {
  if constexpr (under_tsan) {
    ::sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
  }
}

}  // namespace conch::testing
