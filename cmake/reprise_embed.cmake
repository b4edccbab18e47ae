# reprise_embed(FILE NAME=HEADER...): a C++ file with the texts of headers, for the compiler that runs
# on the user's machine (kernels/cuda/compile.h); NAME is what includes it.
function(reprise_embed file)
  set(texts "")
  foreach(pair IN LISTS ARGN)
    string(REGEX MATCH "^(.*)=(.*)$" pair "${pair}")
    set(name "${CMAKE_MATCH_1}")
    set(header "${PROJECT_SOURCE_DIR}/${CMAKE_MATCH_2}")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
    file(READ "${header}" text)
    string(APPEND texts "    {\"${name}\", R\"header(${text})header\"},\n")
  endforeach()
  set(compile_h "${PROJECT_SOURCE_DIR}/kernels/cuda/compile.h")
  file(CONFIGURE OUTPUT "${file}" @ONLY CONTENT
"#include \"@compile_h@\"

namespace reprise::cuda {
namespace {

constexpr DeviceHeader kHeaders[] = {
@texts@};

}  // namespace

std::span<const DeviceHeader> device_headers() { return kHeaders; }

}  // namespace reprise::cuda
")
endfunction()
