// SPDX-License-Identifier: MIT
#pragma once

#include "interrupts.hpp"

#include <filesystem>
#include <string_view>
#include <vector>

namespace conch::lab {

/// The programs called `stem`, or `stem` and a version such as 3, 3.13 or 3.13t, that a shell or
/// pyenv would find; each once, however many links lead to it.
std::vector<std::filesystem::path> installed_programs(std::string_view stem,
                                                      interrupts& interrupts);

}  // namespace conch::lab
