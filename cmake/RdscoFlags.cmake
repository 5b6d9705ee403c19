# SPDX-License-Identifier: BSD-2-Clause
# Flags of our own targets; consumers of the library never see them.
add_library(rdsco_flags INTERFACE)
target_compile_options(rdsco_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(RDSCO_WERROR)
  target_compile_options(rdsco_flags INTERFACE -Werror)
endif()
# Symmetric transfer between coroutines must be a real tail call, or a chain of synchronous children eats the stack.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND NOT RDSCO_SANITIZE)
  target_compile_options(rdsco_flags INTERFACE -foptimize-sibling-calls)
endif()
if(RDSCO_SANITIZE)
  list(JOIN RDSCO_SANITIZE "," rdsco_sanitizers)
  # Directory-wide on purpose: every object of a program must agree on its sanitizers.
  add_compile_options(-fsanitize=${rdsco_sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${rdsco_sanitizers})
endif()

# GCC 12 at -O3 sees overlapping copies in std::string's operator+ and unset values in std::optional that are not there
# (GCC bugs 105651 and 80635), here in tests and benchmarks only: their directories call this. The library, the tools and the
# samples do without it; clang and every other optimisation level look for both everywhere.
function(rdsco_distrust_gcc12)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    add_compile_options($<$<CONFIG:Release>:-Wno-restrict> $<$<CONFIG:Release>:-Wno-maybe-uninitialized>)
  endif()
endfunction()

# A room is a directory of the house; it takes part when its CMakeLists.txt exists.
function(rdsco_add_room room)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${room}/CMakeLists.txt)
    add_subdirectory(${room})
  endif()
endfunction()
