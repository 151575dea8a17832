// SPDX-License-Identifier: MIT
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <filesystem>

namespace conch::lab {

/// A file that either holds a whole document or is as it was before.
class json_file {
public:
  /// Throws std::runtime_error with the reason if the file will not be writable. Changes nothing.
  explicit json_file(const std::filesystem::path& path);

  /// Throws std::runtime_error with the reason.
  void write(const nlohmann::ordered_json& document) const;

private:
  std::filesystem::path path_;
  bool in_place_ = false;  // a device or a pipe, which must not be replaced by a file
};

}  // namespace conch::lab
