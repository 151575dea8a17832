// SPDX-License-Identifier: MIT
#include "installed_programs.hpp"

#include "child_program.hpp"
#include "option_values.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <set>
#include <system_error>

namespace conch::lab {

namespace {

namespace fs = std::filesystem;

/// The programs and directories in one; none if it cannot be read.
std::vector<fs::path> entries_of(const fs::path& directory) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error))
    paths.push_back(entry->path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> directories_on_path() {
  const char* const path = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
  std::vector<fs::path> directories;
  if (path != nullptr)
    for (const auto& directory : split(path, ':')) directories.emplace_back(directory);
  return directories;
}

bool on_path(std::string_view program) {
  const auto directories = directories_on_path();
  return std::any_of(directories.begin(), directories.end(), [&](const fs::path& directory) {
    return ::access((directory / program).c_str(), X_OK) == 0;
  });
}

/// What pyenv finds on PATH are scripts of its own, of which each runs the version that is selected
/// at the time, if any is: the versions themselves take their place.
std::vector<fs::path> directories_with_programs(interrupts& interrupts) {
  auto directories = directories_on_path();
  if (!on_path("pyenv")) return directories;
  const auto output = output_of({"pyenv", "root"}, interrupts);
  if (!output || output->status != 0 || output->lines.empty()) return directories;
  const fs::path root = output->lines.front();
  std::erase(directories, root / "shims");
  for (const auto& version : entries_of(root / "versions")) directories.push_back(version / "bin");
  return directories;
}

bool is_named(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return false;
  name.remove_prefix(stem.size());
  if (name.size() > 1 && name.ends_with('t')) name.remove_suffix(1);  // free-threaded CPython
  return name.find_first_not_of("0123456789.") == std::string_view::npos;
}

}  // namespace

std::vector<fs::path> installed_programs(std::string_view stem, interrupts& interrupts) {
  std::vector<fs::path> programs;
  std::set<fs::path> seen;
  for (const auto& directory : directories_with_programs(interrupts)) {
    for (const auto& entry : entries_of(directory)) {
      if (!is_named(entry.filename().string(), stem) || ::access(entry.c_str(), X_OK) != 0)
        continue;
      std::error_code error;
      const auto program = fs::canonical(entry, error);
      if (!error && seen.insert(program).second) programs.push_back(entry);
    }
  }
  return programs;
}

}  // namespace conch::lab
