# Decides whether pictures of models are made by Graphviz's library. REPRISE_LINKS_GRAPHVIZ says so.
set(REPRISE_LINKS_GRAPHVIZ OFF)
if(NOT REPRISE_GRAPHVIZ STREQUAL "OFF")
  find_package(Graphviz QUIET)
  set(REPRISE_LINKS_GRAPHVIZ ${Graphviz_FOUND})
endif()

if(REPRISE_GRAPHVIZ STREQUAL "OFF")
  message(STATUS "reprise: Graphviz's library is switched off; pictures need its program dot.")
elseif(REPRISE_LINKS_GRAPHVIZ)
  message(STATUS "reprise: pictures are made by ${GRAPHVIZ_GVC_LIBRARY}.")
elseif(REPRISE_GRAPHVIZ STREQUAL "ON")
  message(FATAL_ERROR "reprise: REPRISE_GRAPHVIZ is ON, but its library was not found; "
                      "install libgraphviz-dev.")
else()
  message(STATUS "reprise: Graphviz's library was not found; pictures need its program dot.")
endif()
