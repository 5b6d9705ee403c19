# SPDX-License-Identifier: BSD-2-Clause
# rdsco_add_compile_fail(NAME SOURCE EXPECTED [DEFINES A B=1 ...])
#   A misuse that must not compile. Passes only if SOURCE compiles with RDSCO_CONTROL defined (the same lines used correctly), does
#   not compile without, and the compiler's words then match the regular expression EXPECTED. Write EXPECTED so that it holds
#   for g++ and clang++, and names what the user did wrong, not where: "ignoring.*nodiscard". One SOURCE may hold several
#   misuses, chosen by DEFINES, which are given in both compilations.
#   The compiler is called directly: several runs of the build tool in one tree would disturb each other.
function(rdsco_add_compile_fail name source expected)
  cmake_parse_arguments(arg "" "" "DEFINES" ${ARGN})
  cmake_path(ABSOLUTE_PATH source)
  list(TRANSFORM arg_DEFINES PREPEND -D)
  add_test(NAME compile_fail.${name} COMMAND ${CMAKE_COMMAND}
    -D "COMPILER=${CMAKE_CXX_COMPILER}" -D "SOURCE=${source}" -D "EXPECTED=${expected}" -D "DEFINES=${arg_DEFINES}"
    -D "INCLUDES=${PROJECT_SOURCE_DIR}/include;${PROJECT_SOURCE_DIR}/src;${PROJECT_SOURCE_DIR}"
    -P ${PROJECT_SOURCE_DIR}/cmake/compile_fail_driver.cmake)
  set_tests_properties(compile_fail.${name} PROPERTIES TIMEOUT 120 LABELS compile_fail)
endfunction()
