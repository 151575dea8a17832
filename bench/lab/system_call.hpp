// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <system_error>

namespace conch::lab {

/// The result of a system call of that name. Throws std::system_error if it is negative.
inline int checked(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), call);
  return result;
}

}  // namespace conch::lab
