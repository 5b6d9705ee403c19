# SPDX-License-Identifier: BSD-2-Clause
# rdsco_add_test(NAME SOURCES a.cpp ... [LIBS ...] [LABELS ...] [ARGS ...] [COUNTS_ALLOCATIONS])
#   COUNTS_ALLOCATIONS: it includes counting_new.hpp, which ThreadSanitizer does not allow.
#   A Catch2 program of one room, registered with ctest. It sees private headers ("protocol/header.hpp") and the test data
#   (RDSCO_TEST_DATA). Exit status 77 means "not run" and is shown so by ctest.
function(rdsco_add_test name)
  cmake_parse_arguments(arg "COUNTS_ALLOCATIONS" "TIMEOUT" "SOURCES;LIBS;LABELS;ARGS" ${ARGN})
  if(arg_COUNTS_ALLOCATIONS AND RDSCO_SANITIZE STREQUAL "thread")
    add_test(NAME ${name} COMMAND sh -c "echo not run: the operator new of ThreadSanitizer cannot be replaced\; exit 77")
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS "${arg_LABELS}")
    return()
  endif()
  if(NOT TARGET Catch2::Catch2WithMain)
    # With the library of Catch2's own main(): compiling it takes as long as ten tests do.
    find_package(Catch2 2.13.5 REQUIRED)
    set_target_properties(Catch2::Catch2 Catch2::Catch2WithMain PROPERTIES IMPORTED_GLOBAL TRUE)
  endif()
  add_executable(test_${name} ${arg_SOURCES})
  target_link_libraries(test_${name} PRIVATE rdsco Catch2::Catch2WithMain rdsco_flags ${arg_LIBS})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
  # Before anything else: assertions that may contain a co_await.
  if(RDSCO_PRECOMPILE)
    rdsco_use_precompiled_tests(test_${name})
  else()
    target_compile_options(test_${name} PRIVATE "SHELL:-include ${PROJECT_SOURCE_DIR}/tests/catch_in_coroutines.hpp")
  endif()
  target_compile_definitions(test_${name} PRIVATE RDSCO_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND test_${name} ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
