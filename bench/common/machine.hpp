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

}  // namespace conch::lab
