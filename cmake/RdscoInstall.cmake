# SPDX-License-Identifier: BSD-2-Clause
# What an installed rdsco looks like: headers, the library, find_package(rdsco), rdsco.pc, the `rdsco` command.
#   RDSCO_INSTALL   make the install rules (ON at top level)
option(RDSCO_INSTALL "Make the install rules of rdsco" ${PROJECT_IS_TOP_LEVEL})
if(NOT RDSCO_INSTALL)
  return()
endif()
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(rdsco_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/rdsco)

install(TARGETS rdsco EXPORT rdsco-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})

# A part is a library of its own (target rdsco_NAME, headers include/rdsco/NAME/), asked for with
# find_package(rdsco COMPONENTS NAME) and linked as rdsco::NAME. Parts that this build does not make are not installed.
set(rdsco_known_parts verbs asio sim)
set(rdsco_parts "")
set(rdsco_absent_headers "")
foreach(part IN LISTS rdsco_known_parts)
  if(TARGET rdsco_${part})
    list(APPEND rdsco_parts ${part})
    set_target_properties(rdsco_${part} PROPERTIES EXPORT_NAME ${part})
    install(TARGETS rdsco_${part} EXPORT rdsco-targets
      ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  else()
    list(APPEND rdsco_absent_headers PATTERN ${part} EXCLUDE)
  endif()
endforeach()
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/rdsco DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp" ${rdsco_absent_headers})

if(TARGET rdsco_tool)
  file(RELATIVE_PATH rdsco_bin_to_lib ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(rdsco_tool PROPERTIES INSTALL_RPATH "$ORIGIN/${rdsco_bin_to_lib}")
  install(TARGETS rdsco_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# A static library hands its private link needs to whoever links it; a shared one has them inside.
get_target_property(rdsco_library_type rdsco TYPE)
if(rdsco_library_type STREQUAL "STATIC_LIBRARY")
  set(rdsco_is_static TRUE)
else()
  set(rdsco_is_static FALSE)
endif()
set(rdsco_liburing_min 2.3)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/rdsco-config.cmake.in ${PROJECT_BINARY_DIR}/rdsco-config.cmake
  INSTALL_DESTINATION ${rdsco_cmake_dir} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/rdsco-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/rdsco-config.cmake ${PROJECT_BINARY_DIR}/rdsco-config-version.cmake
  DESTINATION ${rdsco_cmake_dir})
install(EXPORT rdsco-targets NAMESPACE rdsco:: DESTINATION ${rdsco_cmake_dir})

# The paths in rdsco.pc start from the file itself, so that an installed tree may be moved.
file(RELATIVE_PATH rdsco_pc_to_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
configure_file(${PROJECT_SOURCE_DIR}/cmake/rdsco.pc.in ${PROJECT_BINARY_DIR}/rdsco.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/rdsco.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

# `cpack` in the build directory makes one Debian package of all of the above.
if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR DEB)
  set(CPACK_PACKAGE_NAME librdsco-dev)
  set(CPACK_PACKAGE_CONTACT "the rdsco authors <rdsco@localhost>")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "liburing-dev (>= ${rdsco_liburing_min})")
  include(CPack)
endif()
