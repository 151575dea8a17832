# SPDX-License-Identifier: MIT
import os
import re

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.files import copy, load
from conan.tools.layout import basic_layout

required_conan_version = ">=2.0"


class Conch(ConanFile):
    name = "conch"
    description = "Lock primitives for programs in which many threads take turns in one place"
    license = "MIT"
    topics = ("lock", "mutex", "gil", "interpreter", "scheduling", "fairness", "header-only")
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    exports_sources = "include/*", "LICENSE"
    no_copy_source = True

    posix_systems = ("AIX", "Android", "FreeBSD", "Linux", "Macos", "Neutrino", "SunOS",
                     "iOS", "tvOS", "visionOS", "watchOS")

    def set_version(self):
        cmake_lists = load(self, os.path.join(self.recipe_folder, "CMakeLists.txt"))
        self.version = re.search(r"project\([^)]*\bVERSION\s+([0-9.]+)", cmake_lists)[1]

    def layout(self):
        basic_layout(self, src_folder=".")

    def package_id(self):
        self.info.clear()

    def validate(self):
        if self.settings.os not in self.posix_systems:
            raise ConanInvalidConfiguration(
                f"conch needs POSIX threads, and {self.settings.os} is no POSIX system")
        check_min_cppstd(self, 20)

    def package(self):
        copy(self, "LICENSE", self.source_folder, os.path.join(self.package_folder, "licenses"))
        copy(self, "*.h*", os.path.join(self.source_folder, "include"),
             os.path.join(self.package_folder, "include"))

    def package_info(self):
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
        self.cpp_info.set_property("cmake_file_name", "conch")
        self.cpp_info.set_property("cmake_target_name", "conch::conch")
        self.cpp_info.set_property("cmake_config_version_compat", "SameMajorVersion")
        self.cpp_info.set_property("pkg_config_name", "conch")
        if self.settings.os in ("Linux", "FreeBSD"):
            self.cpp_info.system_libs = ["pthread"]
