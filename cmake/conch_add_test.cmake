# SPDX-License-Identifier: MIT

# conch_add_test(<name> <source>... [TIMEOUT <seconds>] [LABEL <label>])
#
# A Catch2 program whose every test case becomes one test of ctest, named "<name>: <test case>".
# TIMEOUT is 180 s for each of them if not given, for machines that are busy; LABEL is the name of the calling folder.
function(conch_add_test name)
  cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME folder)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT;LABEL" "")
  if(NOT DEFINED arg_TIMEOUT)
    set(arg_TIMEOUT 180)
  endif()
  if(NOT DEFINED arg_LABEL)
    set(arg_LABEL ${folder})
  endif()

  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE conch::conch conch_warnings Catch2::Catch2WithMain)
  # The test cases are listed when ctest runs: a sanitizer may not be able to run while building.
  catch_discover_tests(
    ${name}
    TEST_PREFIX "${name}: "
    DISCOVERY_MODE PRE_TEST
    PROPERTIES TIMEOUT ${arg_TIMEOUT} LABELS ${arg_LABEL})
endfunction()
