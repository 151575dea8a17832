# SPDX-License-Identifier: MIT

# conch_warnings: what conch's own tests, benchmarks and examples are compiled with. Never exported.
add_library(conch_warnings INTERFACE)
target_compile_options(
  conch_warnings
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            $<$<COMPILE_LANG_AND_ID:CXX,Clang,AppleClang>:-Wthread-safety>
            $<$<BOOL:${CONCH_WERROR}>:-Werror>)
