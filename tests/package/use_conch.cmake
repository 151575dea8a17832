# SPDX-License-Identifier: MIT

# Builds and runs the project in consumer/, which gets conch by ${way}, in the emptied folder ${work}.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ECHO STDOUT COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE "${work}")

set(where)
if(way STREQUAL "add_subdirectory")
  set(where -D CONCH_SOURCE_DIR=${conch_source})
elseif(way STREQUAL "fetch_content")
  set(where -D FETCHCONTENT_SOURCE_DIR_CONCH=${conch_source})
elseif(way STREQUAL "find_package")
  run(${CMAKE_COMMAND} --install "${conch_build}" --prefix "${work}/prefix")
  set(where -D CMAKE_PREFIX_PATH=${work}/prefix -D CONCH_VERSION=${conch_version})
endif()

run(${CMAKE_COMMAND} -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${work}/build" -G "${generator}"
    -D CMAKE_CXX_COMPILER=${compiler} -D WAY=${way} ${where})
run(${CMAKE_COMMAND} --build "${work}/build")
run("${work}/build/consumer")
