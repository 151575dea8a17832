// SPDX-License-Identifier: MIT
#pragma once

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

}  // namespace conch::testing
