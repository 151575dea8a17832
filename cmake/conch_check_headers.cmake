# SPDX-License-Identifier: MIT

# Fails unless the given headers are exactly those under include/: a header that is not listed would
# be missing from every installation.
function(conch_check_headers)
  file(GLOB_RECURSE found CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}"
       "${PROJECT_SOURCE_DIR}/include/*.hpp" "${PROJECT_SOURCE_DIR}/include/*.h")
  set(unlisted ${found})
  list(REMOVE_ITEM unlisted ${ARGN})
  set(missing ${ARGN})
  list(REMOVE_ITEM missing ${found})
  set(complaint "")
  if(unlisted)
    list(JOIN unlisted " " files)
    string(APPEND complaint "not listed in conch_headers of CMakeLists.txt: ${files}\n")
  endif()
  if(missing)
    list(JOIN missing " " files)
    string(APPEND complaint "listed in conch_headers but not there: ${files}\n")
  endif()
  if(complaint)
    message(FATAL_ERROR "${complaint}")
  endif()
endfunction()
