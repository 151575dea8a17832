# SPDX-License-Identifier: MIT

# Runs `command` and fails unless it exits with one of `statuses`.
cmake_minimum_required(VERSION 3.25)
separate_arguments(statuses)
execute_process(
  COMMAND ${command}
  RESULT_VARIABLE status
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output)
if(NOT status IN_LIST statuses)
  message(FATAL_ERROR "status ${status}, not ${statuses}:\n${output}")
endif()
