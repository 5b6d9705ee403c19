# SPDX-License-Identifier: BSD-2-Clause
# Run by the tests of RdscoCompileFail.cmake: COMPILER SOURCE EXPECTED DEFINES INCLUDES.
list(TRANSFORM INCLUDES PREPEND -I)
set(command ${COMPILER} -std=c++20 -O0 -Wall -Wextra -Wpedantic -Werror ${INCLUDES} ${DEFINES} -c -o /dev/null ${SOURCE})

execute_process(COMMAND ${command} -DRDSCO_CONTROL RESULT_VARIABLE status OUTPUT_VARIABLE words ERROR_VARIABLE words)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the control does not compile, so the failure would prove nothing:\n${words}")
endif()

execute_process(COMMAND ${command} RESULT_VARIABLE status OUTPUT_VARIABLE words ERROR_VARIABLE words)
if(status EQUAL 0)
  message(FATAL_ERROR "the misuse compiled, though it must not")
endif()
if(NOT words MATCHES "${EXPECTED}")
  message(FATAL_ERROR "the misuse was refused for another reason than \"${EXPECTED}\":\n${words}")
endif()
message(STATUS "refused as expected: ${CMAKE_MATCH_0}")
