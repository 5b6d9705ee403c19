# SPDX-License-Identifier: BSD-2-Clause
# rdsco::verbs: the transports on rdma-core.
if(NOT RDMA_FOUND)
  message(FATAL_ERROR "RDSCO_BUILD_VERBS needs libibverbs and librdmacm: apt-get install libibverbs-dev librdmacm-dev")
endif()
add_library(rdsco_verbs)
add_library(rdsco::verbs ALIAS rdsco_verbs)
target_link_libraries(rdsco_verbs PUBLIC rdsco PRIVATE PkgConfig::RDMA $<BUILD_INTERFACE:rdsco_flags>)
target_include_directories(rdsco_verbs PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR})
set_target_properties(rdsco_verbs PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
foreach(room src/verbs transports/verbs transports/ib transports/iwarp)
  rdsco_add_room(${room})
endforeach()
