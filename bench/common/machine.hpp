// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace conch::lab {

/// Where and by what something was measured.
struct measuring_context {
  std::string machine;
  unsigned cpus = 0;  ///< that the process may use
  std::string kernel;
  std::string compiler;  ///< and the type of the build
  std::string commit;    ///< of the sources when the build was configured
  std::string date;      ///< and time, UTC, as in ISO 8601
};

measuring_context look_around();

/// How many CPUs the calling thread may use now. The platform of the locks adds up those of all threads that
/// ask it, and keeps them: no tool asks it for any.
unsigned usable_cpus() noexcept;

/// All of it but the date, on one line.
std::string in_words(const measuring_context& context);

}  // namespace conch::lab
