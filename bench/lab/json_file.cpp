// SPDX-License-Identifier: MIT
#include "json_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>

namespace conch::lab {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, int error) {
  throw std::runtime_error(
      fmt::format("cannot write to {}: {}", path.string(), std::generic_category().message(error)));
}

void write_all(int file, std::string_view text, const fs::path& path) {
  while (!text.empty()) {
    const auto written = ::write(file, text.data(), text.size());
    if (written < 0) fail(path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

/// A file beside another one, gone at the end unless it has taken the other one's place.
class temporary_file {
public:
  explicit temporary_file(const fs::path& target)
      : target_(target), name_(target.string() + ".XXXXXX"), file_(::mkstemp(name_.data())) {
    if (file_ < 0) fail(target_, errno);
  }
  ~temporary_file() {
    ::close(file_);
    if (!renamed_) ::unlink(name_.c_str());
  }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;

  void write(std::string_view text) { write_all(file_, text, target_); }

  void replace_target() {
    constexpr ::mode_t like_any_new_file = 0666;
    const auto forbidden = ::umask(0);
    ::umask(forbidden);
    if (::fchmod(file_, like_any_new_file & ~forbidden) != 0 || ::fsync(file_) != 0 ||
        ::rename(name_.c_str(), target_.c_str()) != 0)
      fail(target_, errno);
    renamed_ = true;
  }

private:
  fs::path target_;
  std::string name_;
  int file_;
  bool renamed_ = false;
};

}  // namespace

json_file::json_file(const fs::path& path) : path_(path) {
  if (path.empty()) throw std::runtime_error("its name is empty");
  std::error_code error;
  const auto status = fs::status(path, error);
  if (fs::is_directory(status)) fail(path, EISDIR);
  if (fs::exists(status) && ::access(path.c_str(), W_OK) != 0) fail(path, errno);
  in_place_ = fs::exists(status) && !fs::is_regular_file(status);
  if (in_place_) return;
  const auto followed = fs::weakly_canonical(path, error);  // a link stays one
  if (!error) path_ = followed;
  const temporary_file trial(path_);
}

void json_file::write(const nlohmann::ordered_json& document) const {
  const auto text = document.dump(2) + "\n";
  if (in_place_) {
    const int file = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) fail(path_, errno);
    write_all(file, text, path_);
    ::close(file);
    return;
  }
  temporary_file replacement(path_);
  replacement.write(text);
  replacement.replace_target();
}

}  // namespace conch::lab
