# SPDX-License-Identifier: BSD-2-Clause
# What many sources include is read once for all of them. A source includes what it uses all the same: of the tests that is seen
# where RDSCO_PRECOMPILE is off, as it is with ccache; of everything else in any build without sanitizers.

# GCC takes what is precompiled for text of ours, and warns of what its optimiser makes of the standard library's: not at -O3.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_BUILD_TYPE STREQUAL "Release")
  set(RDSCO_PRECOMPILE OFF)
endif()

# The library's sources: under sanitizers only, and where all of them are position-dependent alike.
function(rdsco_precompile_library)
  if(NOT RDSCO_PRECOMPILE OR NOT RDSCO_SANITIZE OR BUILD_SHARED_LIBS)
    return()
  endif()
  target_precompile_headers(rdsco PRIVATE <rdsco/loop.hpp> <rdsco/node.hpp> <rdsco/sleep.hpp> <rdsco/task_group.hpp>
    <rdsco/with_timeout.hpp> <algorithm> <array> <chrono> <cstring> <deque> <functional> <map> <memory> <optional> <span> <string> <vector>)
  foreach(part IN ITEMS rdsco_verbs rdsco_tools)
    if(TARGET ${part})
      target_precompile_headers(${part} REUSE_FROM rdsco)
    endif()
  endforeach()
endfunction()

function(rdsco_use_precompiled_tests target)
  if(NOT TARGET rdsco_precompiled_tests)
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/precompiled_tests.cpp CONTENT "// Precompiled headers need a source.\n")
    add_library(rdsco_precompiled_tests OBJECT ${PROJECT_BINARY_DIR}/precompiled_tests.cpp)
    target_link_libraries(rdsco_precompiled_tests PRIVATE rdsco Catch2::Catch2 rdsco_flags)
    target_precompile_headers(rdsco_precompiled_tests PRIVATE ${PROJECT_SOURCE_DIR}/tests/precompiled.hpp)
  endif()
  target_precompile_headers(${target} REUSE_FROM rdsco_precompiled_tests)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # GCC forgets that Catch2's macros, when they come precompiled, turn this warning off for themselves.
    target_compile_options(${target} PRIVATE -Wno-parentheses)
  endif()
endfunction()
