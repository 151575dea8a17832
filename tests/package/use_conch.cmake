# SPDX-License-Identifier: MIT
cmake_minimum_required(VERSION 3.25)

# Builds and runs the project in consumer/, which gets conch by ${way}, in the emptied folder ${work}.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

# Installs conch, and moves it: an installed tree must not know where it is.
function(install_conch)
  run(${CMAKE_COMMAND} -S "${conch_source}" -B "${work}/conch" -G "${generator}" -D
      CMAKE_CXX_COMPILER=${compiler} -D CONCH_BUILD_TESTS=OFF -D CONCH_BUILD_BENCH=OFF -D
      CONCH_BUILD_EXAMPLES=OFF)
  run(${CMAKE_COMMAND} --install "${work}/conch" --prefix "${work}/installed")
  file(RENAME "${work}/installed" "${work}/prefix")
  file(REMOVE_RECURSE "${work}/conch")
endfunction()

file(REMOVE_RECURSE "${work}")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/consumer" DESTINATION "${work}")

set(where)
if(way STREQUAL "add_subdirectory")
  set(where -D CONCH_SOURCE_DIR=${conch_source})
elseif(way STREQUAL "fetch_content")
  set(where -D FETCHCONTENT_SOURCE_DIR_CONCH=${conch_source})
elseif(way STREQUAL "find_package")
  install_conch()
  set(where -D CMAKE_PREFIX_PATH=${work}/prefix -D CONCH_VERSION=${conch_version})
elseif(way STREQUAL "pkg_config")
  install_conch()
  run(${CMAKE_COMMAND} -E env "PKG_CONFIG_PATH=${work}/prefix/share/pkgconfig" pkg-config
      --print-errors --exact-version=${conch_version} conch)
  run(${CMAKE_COMMAND} -E env "PKG_CONFIG_PATH=${work}/prefix/share/pkgconfig" make -C
      "${work}/consumer" CXX=${compiler})
  run("${work}/consumer/consumer")
  return()
elseif(way STREQUAL "one_file")
  execute_process(
    COMMAND awk -f cmake/amalgamate.awk LICENSE CMakeLists.txt
    WORKING_DIRECTORY "${conch_source}"
    OUTPUT_FILE "${work}/consumer/conch_single.hpp" COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
  file(READ "${work}/consumer/main.cpp" program)
  string(REPLACE "<conch/conch.hpp>" "\"conch_single.hpp\"" program "${program}")
  file(WRITE "${work}/consumer/main.cpp" "${program}")
  run(${compiler} -std=c++20 -pthread "${work}/consumer/main.cpp" -o "${work}/consumer/consumer")
  run("${work}/consumer/consumer")
  return()
endif()

run(${CMAKE_COMMAND} -S "${work}/consumer" -B "${work}/build" -G "${generator}" -D
    CMAKE_CXX_COMPILER=${compiler} -D WAY=${way} ${where})
run(${CMAKE_COMMAND} --build "${work}/build")
run("${work}/build/consumer")
