// SPDX-License-Identifier: MIT
#include "runtimes.hpp"

#include "child_program.hpp"
#include "installed_programs.hpp"
#include "option_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

namespace conch::lab {

namespace {

namespace fs = std::filesystem;

fs::path echo_program(const char* name) { return fs::path(CONCH_LAB_PEERS) / name; }

/// 3.13.0t as {3, 13, 0}.
std::vector<unsigned> numbers_in(const std::string& version) {
  std::vector<unsigned> numbers;
  for (const auto& part : split(version, '.')) {
    unsigned number = 0;
    std::from_chars(part.data(), part.data() + part.size(), number);
    numbers.push_back(number);
  }
  return numbers;
}

/// Each version once: the first that was found.
void sort_by_version(std::vector<runtime>& runtimes) {
  const auto key = [](const runtime& one) { return std::pair(numbers_in(one.version), one.name); };
  std::stable_sort(runtimes.begin(), runtimes.end(),
                   [&](const auto& a, const auto& b) { return key(a) < key(b); });
  const auto same = [](const auto& a, const auto& b) { return a.name == b.name; };
  runtimes.erase(std::unique(runtimes.begin(), runtimes.end(), same), runtimes.end());
}

/// What a program says of itself in one line, word by word; nothing if it does not run.
std::vector<std::string> answer(const std::vector<std::string>& command, std::size_t words,
                                std::string& complaint, interrupts& interrupts) {
  const auto output = output_of(command, interrupts);
  if (output && output->status == 0 && !output->lines.empty()) {
    auto answered = split(output->lines.front(), ' ');
    if (answered.size() == words) return answered;
  }
  if (output) complaint = output->complaint;
  return {};
}

/// Why there is none: a program that was found and does not run has its say.
std::string reason_for_none(std::string_view program, const std::string& complaint) {
  if (complaint.empty())
    return fmt::format("{} is not installed; ./dev peers --install gets it", program);
  return fmt::format("{} does not run: {}", program, split(complaint, '\n').front());
}

// --- CPython and PyPy ---

/// What a Python says of itself: implementation, version, PyPy's own version, free-threaded or not.
constexpr const char* python_question =
    "import platform, sys\n"
    "free = not getattr(sys, '_is_gil_enabled', lambda: True)()\n"
    "pypy = '.'.join(map(str, getattr(sys, 'pypy_version_info', ())[:3])) or '-'\n"
    "print('%s %s %s %s' % (platform.python_implementation(), platform.python_version(), pypy,\n"
    "                       't' if free else '-'))\n";

std::string name_of_cpython(const std::vector<std::string>& words) {
  return fmt::format("CPython {}{}", words[1], words[3] == "t" ? "t" : "");
}

/// As PyPy names its releases: PyPy3.9 7.3.11.
std::string name_of_pypy(const std::vector<std::string>& words) {
  const auto numbers = numbers_in(words[1]);
  return fmt::format("PyPy{}.{} {}", numbers.at(0), numbers.at(1), words[2]);
}

found_runtimes find_pythons(std::string_view implementation, std::string_view usual_program,
                            const std::vector<std::string_view>& stems,
                            std::string (*name_of)(const std::vector<std::string>&),
                            interrupts& interrupts) {
  found_runtimes found;
  std::string complaint;
  for (const auto& stem : stems)
    for (const auto& program : installed_programs(stem, interrupts)) {
      const auto words = answer({program, "-E", "-c", python_question}, 4, complaint, interrupts);
      if (!words.empty() && words[0] == implementation)
        found.usable.push_back({.name = name_of(words),
                                .version = words[1],
                                .command = {program, "-E", echo_program("echo.py")}});
    }
  sort_by_version(found.usable);
  if (found.usable.empty())
    found.absent.push_back(
        {std::string(implementation), reason_for_none(usual_program, complaint)});
  return found;
}

found_runtimes find_cpythons(const temporary_directory&, interrupts& interrupts) {
  return find_pythons("CPython", "python3", {"python"}, name_of_cpython, interrupts);
}

// pyenv calls every Python that it has python, PyPy too.
found_runtimes find_pypys(const temporary_directory&, interrupts& interrupts) {
  return find_pythons("PyPy", "pypy3", {"python", "pypy"}, name_of_pypy, interrupts);
}

// --- Ruby ---

found_runtimes find_rubies(const temporary_directory&, interrupts& interrupts) {
  found_runtimes found;
  std::string complaint;
  for (const auto& program : installed_programs("ruby", interrupts)) {
    const auto words =
        answer({program, "-e", "puts RUBY_ENGINE + ' ' + RUBY_VERSION"}, 2, complaint, interrupts);
    if (words.empty()) continue;
    const auto name = words[0] == "ruby" ? "Ruby" : words[0];
    found.usable.push_back({.name = fmt::format("{} {}", name, words[1]),
                            .version = words[1],
                            .command = {program, echo_program("echo.rb")}});
  }
  sort_by_version(found.usable);
  if (found.usable.empty()) found.absent.push_back({"Ruby", reason_for_none("ruby", complaint)});
  return found;
}

// --- OCaml ---

/// The echo program, compiled. Its source is copied first, since the compiler leaves files beside
/// it. Unix has a directory of its own from OCaml 5 on.
std::optional<fs::path> compiled_echo(const fs::path& compiler, const fs::path& directory,
                                      std::string& complaint, interrupts& interrupts) {
  fs::create_directory(directory);
  const auto source = directory / "echo.ml";
  auto program = directory / "echo";
  fs::copy_file(echo_program("echo.ml"), source);
  const auto output = output_of({compiler, "-I", "+unix", "-I", "+threads", "unix.cmxa",
                                 "threads.cmxa", source, "-o", program},
                                interrupts);
  if (output && output->status == 0) return program;
  complaint = output ? output->complaint : "the compiler did not end";
  return std::nullopt;
}

found_runtimes find_ocamls(const temporary_directory& workshop, interrupts& interrupts) {
  found_runtimes found;
  std::string complaint;
  for (const auto& compiler : installed_programs("ocamlopt", interrupts)) {
    const auto words = answer({compiler, "-version"}, 1, complaint, interrupts);
    if (words.empty()) continue;
    const auto name = "OCaml " + words[0];
    const auto directory = workshop.path() / words[0];
    if (fs::exists(directory)) continue;  // the same version again
    if (const auto program = compiled_echo(compiler, directory, complaint, interrupts))
      found.usable.push_back({.name = name, .version = words[0], .command = {*program}});
    else
      found.failed.push_back({name, complaint});
  }
  sort_by_version(found.usable);
  if (found.usable.empty() && found.failed.empty())
    found.absent.push_back({"OCaml", reason_for_none("ocamlopt", complaint)});
  return found;
}

}  // namespace

const std::vector<runtime_kind>& all_runtime_kinds() {
  static const std::vector<runtime_kind> kinds{{"python", find_cpythons},
                                               {"pypy", find_pypys},
                                               {"ruby", find_rubies},
                                               {"ocaml", find_ocamls}};
  return kinds;
}

}  // namespace conch::lab
