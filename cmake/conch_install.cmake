# SPDX-License-Identifier: MIT
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(conch_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/conch")

install(TARGETS conch EXPORT conch-targets FILE_SET HEADERS)
install(
  EXPORT conch-targets
  NAMESPACE conch::
  DESTINATION "${conch_package_dir}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/conch-config.cmake.in" conch-config.cmake
                              INSTALL_DESTINATION "${conch_package_dir}")
write_basic_package_version_file(conch-config-version.cmake COMPATIBILITY SameMajorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/conch-config.cmake"
              "${CMAKE_CURRENT_BINARY_DIR}/conch-config-version.cmake"
        DESTINATION "${conch_package_dir}")

# Each path in conch.pc is relative to the place of the file, so that the whole tree can be moved.
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX BASE_DIRECTORY
           "${CMAKE_INSTALL_FULL_DATADIR}/pkgconfig" OUTPUT_VARIABLE conch_prefix)
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}"
           OUTPUT_VARIABLE conch_includedir)
configure_file("${CMAKE_CURRENT_LIST_DIR}/conch.pc.in" conch.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/conch.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
