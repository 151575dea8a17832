# SPDX-License-Identifier: MIT

# Runs `program` under strace and fails unless there are `locks` pairs of marks in the trace, with
# nothing between the two of each pair. To read the clock is a system call where the system's clock source
# wants it so, and is none of a lock's doing.
execute_process(
  COMMAND ${strace} -f -o ${trace} ${program}
  RESULT_VARIABLE result
  ERROR_VARIABLE errors)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "strace ended with ${result}: ${errors}")
endif()

file(STRINGS ${trace} calls)
set(between FALSE)
set(pairs 0)
foreach(call IN LISTS calls)
  if(call MATCHES "getpgid\\(4000001\\)")
    set(between TRUE)
  elseif(call MATCHES "getpgid\\(4000000\\)")
    set(between FALSE)
    math(EXPR pairs "${pairs} + 1")
  elseif(between AND NOT call MATCHES "clock_gettime")
    math(EXPR lock "${pairs} + 1")
    message(SEND_ERROR "lock ${lock} made a system call: ${call}")
  endif()
endforeach()
if(NOT pairs EQUAL locks)
  message(FATAL_ERROR "${pairs} pairs of marks instead of ${locks}")
endif()
