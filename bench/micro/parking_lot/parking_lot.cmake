# SPDX-License-Identifier: MIT

# conch_parking_lot: parking_lot's mutexes as C functions, if cargo can fetch and build them now.
# They are built outside the sources, where cargo writes its lock file.
option(CONCH_BENCH_PARKING_LOT "Fetch and build parking_lot with cargo, to be measured" OFF)
if(NOT CONCH_BENCH_PARKING_LOT)
  set(conch_parking_lot_missing "the build was configured without CONCH_BENCH_PARKING_LOT")
  return()
endif()
find_program(CONCH_CARGO cargo)
if(NOT CONCH_CARGO)
  set(conch_parking_lot_missing "cargo is not installed")
  return()
endif()

set(conch_crate "${CMAKE_CURRENT_BINARY_DIR}/parking_lot")
foreach(file Cargo.toml src/lib.rs)
  configure_file(parking_lot/${file} "${conch_crate}/${file}" COPYONLY)
endforeach()
execute_process(
  COMMAND "${CMAKE_COMMAND}" -E env CARGO_NET_RETRY=1 CARGO_TERM_COLOR=never #
          "${CONCH_CARGO}" build --release --quiet --target-dir target
  WORKING_DIRECTORY "${conch_crate}"
  RESULT_VARIABLE failed
  OUTPUT_VARIABLE output
  ERROR_VARIABLE output
  TIMEOUT 180)
if(failed)
  message(STATUS "parking_lot is left out, cargo could not build it:\n${output}")
  set(conch_parking_lot_missing "cargo could not build it")
  return()
endif()

add_library(conch_parking_lot STATIC IMPORTED)
set_target_properties(
  conch_parking_lot
  PROPERTIES IMPORTED_LOCATION "${conch_crate}/target/release/libconch_parking_lot.a"
             INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS}")
