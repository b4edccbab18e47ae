# `cmake --install BUILD --prefix P [--strip]`: headers, library, package config and pkg-config file.
include(CMakePackageConfigHelpers)
set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/reprise")

install(TARGETS reprise EXPORT reprise-targets)
install(EXPORT reprise-targets NAMESPACE reprise:: DESTINATION "${config_dir}")

foreach(folder IN LISTS REPRISE_FOLDERS)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${folder}"
          DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/reprise" OPTIONAL
          FILES_MATCHING PATTERN "*.h" PATTERN "kernels" EXCLUDE)
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/reprise.h" OPTIONAL
        DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/reprise")

if(REPRISE_LINKS_GRAPHVIZ)
  install(FILES "${PROJECT_SOURCE_DIR}/cmake/FindGraphviz.cmake" DESTINATION "${config_dir}")
  set(PC_GRAPHVIZ "-lgvc -lcgraph ")
endif()
if(REPRISE_BUILDS_CUDA)
  set(PC_CUDA "${CUDA_cudart_static_LIBRARY} -ldl -lrt ")
  set(PC_CUDA_DEFINE " -DREPRISE_HAS_CUDA")
endif()
configure_package_config_file(cmake/reprise-config.cmake.in reprise-config.cmake
  INSTALL_DESTINATION "${config_dir}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(reprise-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/reprise-config.cmake"
              "${PROJECT_BINARY_DIR}/reprise-config-version.cmake" DESTINATION "${config_dir}")

file(RELATIVE_PATH PC_TO_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
configure_file(cmake/reprise.pc.in reprise.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/reprise.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
