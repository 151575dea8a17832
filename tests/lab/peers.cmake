# SPDX-License-Identifier: MIT

# Runs ${conch_lab} peers where only the runtimes that a claim makes are on PATH, and checks what it
# printed and how it ended.
cmake_minimum_required(VERSION 3.25)

string(MAKE_C_IDENTIFIER "${claim}" folder)
set(bin "${work}/${folder}")
file(REMOVE_RECURSE "${bin}")
file(MAKE_DIRECTORY "${bin}")

# A program on PATH, as a shell script.
function(make_program name script)
  file(WRITE "${bin}/${name}" "#!/bin/sh\n${script}\n")
  file(CHMOD "${bin}/${name}" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
endfunction()

# Sets status and output.
function(run_peers)
  execute_process(
    COMMAND ${CMAKE_COMMAND} -E env "PATH=${bin}" "${conch_lab}" peers ${ARGV}
    OUTPUT_VARIABLE output
    ERROR_VARIABLE output
    RESULT_VARIABLE status)
  message("${output}")
  set(output "${output}" PARENT_SCOPE)
  set(status "${status}" PARENT_SCOPE)
endfunction()

function(expect_status expected)
  if(NOT status EQUAL expected)
    message(FATAL_ERROR "the exit status is ${status} and not ${expected}")
  endif()
endfunction()

function(expect regular_expression)
  if(NOT output MATCHES "${regular_expression}")
    message(FATAL_ERROR "nothing printed matches ${regular_expression}")
  endif()
endfunction()

set(quick --locks fmq_lock --hogs 0,1 --seconds 0.05)

if(claim STREQUAL "a runtime that is not there is skipped by name")
  run_peers(${quick})
  expect_status(0)
  foreach(name IN ITEMS "CPython .python3" "PyPy .pypy3" "Ruby .ruby" "OCaml .ocamlopt")
    expect("\nskipped: ${name} is not installed; ./dev peers --install gets it")
  endforeach()
  expect("requests/s +convoy factor")
  expect("\nfmq_lock +[0-9]")

elseif(claim STREQUAL "a runtime that dies is shown as failed with what it said")
  make_program(ruby "[ \"$1\" = -e ] && echo ruby 9.9 && exit\necho out of order >&2\nexit 7")
  run_peers(${quick})
  expect_status(1)
  expect("\nRuby 9.9 +failed ")
  expect("\nFAILED: Ruby 9.9: beside 1 hog: ended with status 7: out of order")
  expect("\nfmq_lock +[0-9]")

elseif(claim STREQUAL "a runtime that cannot be compiled is shown as failed")
  make_program(ocamlopt "[ \"$1\" = -version ] && echo 9.9 && exit\necho no linker >&2\nexit 2")
  run_peers(${quick})
  expect_status(1)
  expect("\nOCaml 9.9 +failed ")
  expect("\nFAILED: OCaml 9.9: no linker")

elseif(claim STREQUAL "what is no runtime is refused with what there is")
  run_peers(--runtimes perl)
  expect_status(2)
  expect("there is no runtime 'perl'; there are python, pypy, ruby, ocaml")

elseif(claim STREQUAL "with nothing to measure it fails")
  run_peers(--locks none --runtimes python3.4)
  expect_status(1)
  expect("there is nothing to measure")

elseif(claim STREQUAL "an interrupt ends it at once with what was measured")
  # The runtime itself interrupts, when it should begin to serve, and then does nothing.
  make_program(ruby "[ \"$1\" = -e ] && echo ruby 9.9 && exit\nkill -INT $PPID\nread nothing")
  run_peers(--locks fmq_lock --runtimes ruby --hogs 0 --seconds 0.05)
  expect_status(130)
  expect("\nfmq_lock +[0-9]")
  expect("interrupted after 1 of 2 runs")

elseif(claim STREQUAL "a runtime that is there is measured")
  find_program(python3 python3)
  if(NOT python3)
    message("no python3 here")
    return()
  endif()
  # What is on PATH may be a script that needs the rest of PATH.
  execute_process(
    COMMAND "${python3}" -c "import sys; sys.stdout.write(sys.executable)"
    OUTPUT_VARIABLE executable COMMAND_ERROR_IS_FATAL ANY)
  file(CREATE_LINK "${executable}" "${bin}/python3" SYMBOLIC)
  run_peers(${quick} --json "${bin}/peers.json")
  expect_status(0)
  expect("\n(CPython|PyPy)[0-9.]* [0-9][^ ]* +[0-9]")
  file(READ "${bin}/peers.json" json)
  string(JSON requests GET "${json}" peers 1 runs 1 requests)
  string(JSON convoy_factor GET "${json}" peers 1 runs 1 convoy_factor)
  if(NOT (requests GREATER 0 AND convoy_factor GREATER 0))
    message(FATAL_ERROR "the JSON says ${requests} requests, a convoy factor of ${convoy_factor}")
  endif()

else()
  message(FATAL_ERROR "there is no claim '${claim}'")
endif()
