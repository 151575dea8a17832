// SPDX-License-Identifier: MIT
#pragma once

/// Clang's thread-safety attributes (-Wthread-safety); nothing on other compilers.

#if defined(__clang__)
#define CONCH_ATTRIBUTE(x) __attribute__((x))
#else
#define CONCH_ATTRIBUTE(x)
#endif

#define CONCH_CAPABILITY(name) CONCH_ATTRIBUTE(capability(name))
#define CONCH_ACQUIRE(...) CONCH_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define CONCH_TRY_ACQUIRE(...) CONCH_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define CONCH_RELEASE(...) CONCH_ATTRIBUTE(release_capability(__VA_ARGS__))
/// On a function whose body takes or releases a capability in a way that the analysis cannot
/// follow.
#define CONCH_NO_THREAD_SAFETY_ANALYSIS CONCH_ATTRIBUTE(no_thread_safety_analysis)
