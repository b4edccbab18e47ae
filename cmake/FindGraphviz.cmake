# Graphviz's library as Graphviz::gvc. Set CMAKE_PREFIX_PATH or Graphviz_ROOT when it lies elsewhere.
find_path(GRAPHVIZ_INCLUDE_DIR graphviz/gvc.h)
find_library(GRAPHVIZ_GVC_LIBRARY gvc)
find_library(GRAPHVIZ_CGRAPH_LIBRARY cgraph)
mark_as_advanced(GRAPHVIZ_INCLUDE_DIR GRAPHVIZ_GVC_LIBRARY GRAPHVIZ_CGRAPH_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Graphviz
  REQUIRED_VARS GRAPHVIZ_GVC_LIBRARY GRAPHVIZ_CGRAPH_LIBRARY GRAPHVIZ_INCLUDE_DIR)

if(Graphviz_FOUND AND NOT TARGET Graphviz::gvc)
  add_library(Graphviz::gvc INTERFACE IMPORTED)
  target_include_directories(Graphviz::gvc INTERFACE "${GRAPHVIZ_INCLUDE_DIR}")
  # Programs that draw nothing do not load it.
  target_link_libraries(Graphviz::gvc INTERFACE
    -Wl,--push-state,--as-needed "${GRAPHVIZ_GVC_LIBRARY}" "${GRAPHVIZ_CGRAPH_LIBRARY}"
    -Wl,--pop-state)
endif()
