# SPDX-License-Identifier: BSD-2-Clause
# rdsco_add_test(NAME SOURCES a.cpp ... [LIBS ...] [LABELS ...] [ARGS ...])
#   A Catch2 program of one room, registered with ctest. It sees private headers ("protocol/header.hpp") and the test data
#   (RDSCO_TEST_DATA). Exit status 77 means "not run" and is shown so by ctest.
function(rdsco_add_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;LIBS;LABELS;ARGS" ${ARGN})
  if(NOT TARGET rdsco_catch_main)
    find_package(Catch2 2.13 REQUIRED)
    add_library(rdsco_catch_main STATIC ${PROJECT_SOURCE_DIR}/tests/catch_main.cpp)
    target_link_libraries(rdsco_catch_main PUBLIC Catch2::Catch2 PRIVATE rdsco_flags)
    target_compile_features(rdsco_catch_main PUBLIC cxx_std_20)
  endif()
  add_executable(test_${name} ${arg_SOURCES})
  target_link_libraries(test_${name} PRIVATE rdsco rdsco_catch_main rdsco_flags ${arg_LIBS})
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/tests)
  # Before anything else: assertions that may contain a co_await.
  target_compile_options(test_${name} PRIVATE "SHELL:-include ${PROJECT_SOURCE_DIR}/tests/catch_in_coroutines.hpp")
  target_compile_definitions(test_${name} PRIVATE RDSCO_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  add_test(NAME ${name} COMMAND test_${name} ${arg_ARGS})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${arg_TIMEOUT} LABELS "${arg_LABELS}")
endfunction()
