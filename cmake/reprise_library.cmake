# The target reprise: every source below the library's folders, the SIMD units once per instruction set.
find_package(nlohmann_json 3.9 REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Threads REQUIRED)

set(REPRISE_FOLDERS core kernels autograd layers graph optim data io)
list(TRANSFORM REPRISE_FOLDERS PREPEND "${PROJECT_SOURCE_DIR}/" OUTPUT_VARIABLE folders)

list(TRANSFORM folders APPEND "/*.cpp" OUTPUT_VARIABLE patterns)
file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${patterns})
set(simd_sources ${sources})
list(FILTER simd_sources INCLUDE REGEX "/kernels/cpu/simd/[^/]*\\.simd\\.cpp$")
if(simd_sources)
  list(REMOVE_ITEM sources ${simd_sources})
endif()

set(cuda_sources ${sources})
list(FILTER cuda_sources INCLUDE REGEX "/kernels/cuda/")
if(cuda_sources)
  list(REMOVE_ITEM sources ${cuda_sources})
endif()
if(REPRISE_BUILDS_CUDA)
  list(FILTER sources EXCLUDE REGEX "/kernels/no_cuda\\.cpp$")
endif()

add_library(reprise ${sources})
add_library(reprise::reprise ALIAS reprise)
reprise_flags(reprise)
target_compile_features(reprise PUBLIC cxx_std_20)
set_target_properties(reprise PROPERTIES
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  DEFINE_SYMBOL "")
# Header-only and private: BUILD_INTERFACE keeps them out of the exported target.
target_link_libraries(reprise
  PRIVATE $<BUILD_INTERFACE:nlohmann_json::nlohmann_json> ZLIB::ZLIB Threads::Threads)
if(REPRISE_LINKS_GRAPHVIZ)
  target_link_libraries(reprise PRIVATE Graphviz::gvc)
  set_property(SOURCE "${PROJECT_SOURCE_DIR}/graph/graphviz_library.cpp" APPEND PROPERTY
    COMPILE_DEFINITIONS REPRISE_GRAPHVIZ)
endif()
if(REPRISE_SANITIZE)
  target_link_options(reprise INTERFACE $<BUILD_INTERFACE:-fsanitize=${REPRISE_SANITIZE}>)
endif()

set(kernel_sources ${sources})
list(FILTER kernel_sources INCLUDE REGEX "/kernels/")
if(kernel_sources OR simd_sources)
  reprise_allow_float_division_by_zero(SOURCE ${kernel_sources} ${simd_sources})
  reprise_optimize_sanitized(SOURCE ${kernel_sources} ${simd_sources})
endif()

set_property(SOURCE "${PROJECT_SOURCE_DIR}/kernels/cpu/reduce.cpp"  # sums of integers wrap around
  "${PROJECT_SOURCE_DIR}/kernels/cpu/simd/reduce.simd.cpp" APPEND PROPERTY COMPILE_OPTIONS -fwrapv)

# <reprise/...> in the build tree is the source tree itself, seen through a link.
set(link_dir "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${link_dir}")
file(CREATE_LINK "${PROJECT_SOURCE_DIR}" "${link_dir}/reprise" SYMBOLIC)
target_include_directories(reprise INTERFACE
  $<BUILD_INTERFACE:${link_dir}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# Each *.simd.cpp is compiled once per instruction set, with REPRISE_ISA naming its namespace.
function(reprise_add_simd isa)
  if(NOT simd_sources)
    return()
  endif()
  add_library(reprise_simd_${isa} OBJECT ${simd_sources})
  reprise_flags(reprise_simd_${isa})
  target_compile_definitions(reprise_simd_${isa} PRIVATE REPRISE_ISA=${isa})
  target_compile_options(reprise_simd_${isa} PRIVATE
    $<IF:$<CONFIG:Release>,-O3,-O2> -Wno-psabi ${ARGN})
  target_sources(reprise PRIVATE $<TARGET_OBJECTS:reprise_simd_${isa}>)
endfunction()

reprise_add_simd(sse2)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  reprise_add_simd(avx2 -mavx2 -mfma)
  reprise_add_simd(avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma
                          -mprefer-vector-width=512)
endif()

if(REPRISE_BUILDS_CUDA)
  reprise_add_cuda(${cuda_sources})
endif()
