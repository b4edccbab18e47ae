# Decides whether the library is built with CUDA; REPRISE_BUILDS_CUDA says so. Only the runtime is
# linked, statically: the other libraries of CUDA are loaded when they are used. EMULATED, for tests,
# needs CUDA's headers only: the C++ compiler builds kernels/cuda, and tests/emulator plays the device.
include(reprise_embed)
set(REPRISE_BUILDS_CUDA OFF)
if(REPRISE_CUDA STREQUAL "EMULATED" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  find_path(REPRISE_CUDA_INCLUDE_DIR cuda_runtime.h HINTS ENV CUDA_PATH PATHS /usr/local/cuda
            PATH_SUFFIXES include)
  if(REPRISE_CUDA_INCLUDE_DIR)
    set(CUDAToolkit_INCLUDE_DIRS "${REPRISE_CUDA_INCLUDE_DIR}")
    set(REPRISE_BUILDS_CUDA ON)
  endif()
endif()
if(NOT REPRISE_CUDA MATCHES "^(OFF|EMULATED)$")
  find_program(REPRISE_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_PATH PATHS /usr/local/cuda
               PATH_SUFFIXES bin)
  if(REPRISE_NVCC)
    set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPUs to build for; 90 is also PTX")
    set(CMAKE_CUDA_HOST_COMPILER "${CMAKE_CXX_COMPILER}" CACHE FILEPATH "C++ compiler of nvcc")
    set(ENV{CUDACXX} "${REPRISE_NVCC}")
    if(NOT DEFINED CMAKE_CUDA_COMPILER_LAUNCHER AND CMAKE_CXX_COMPILER_LAUNCHER)
      set(CMAKE_CUDA_COMPILER_LAUNCHER "${CMAKE_CXX_COMPILER_LAUNCHER}")
    endif()
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      enable_language(CUDA)
      find_package(CUDAToolkit REQUIRED)
      set(REPRISE_BUILDS_CUDA ON)
    endif()
  endif()
endif()
set(REPRISE_BUILDS_CUDA "${REPRISE_BUILDS_CUDA}" CACHE INTERNAL "Whether the library has CUDA")

if(REPRISE_CUDA STREQUAL "OFF")
  message(STATUS "reprise: CUDA is switched off.")
elseif(REPRISE_CUDA STREQUAL "EMULATED" AND REPRISE_BUILDS_CUDA)
  message(STATUS "reprise: built with an emulated GPU.")
elseif(REPRISE_CUDA STREQUAL "EMULATED")
  message(STATUS "reprise: CUDA's headers for x86-64 were not found, so there is no emulated GPU.")
elseif(REPRISE_BUILDS_CUDA)
  message(STATUS "reprise: built with CUDA ${CUDAToolkit_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}.")
elseif(REPRISE_CUDA STREQUAL "ON")
  message(FATAL_ERROR "reprise: REPRISE_CUDA is ON, but there is no nvcc that works; install the "
                      "CUDA toolkit and set CUDA_PATH.")
elseif(REPRISE_NVCC)
  message(STATUS "reprise: ${REPRISE_NVCC} does not work here, so there is no GPU device.")
else()
  message(STATUS "reprise: nvcc was not found, so there is no GPU device.")
endif()

# What a file that includes CUDA's headers is compiled with: `set_property(SOURCE ...)` of a test too.
if(REPRISE_BUILDS_CUDA)
  find_path(REPRISE_CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDAToolkit_INCLUDE_DIRS})
  set(REPRISE_CUDA_OPTIONS "")
  foreach(dir IN LISTS CUDAToolkit_INCLUDE_DIRS REPRISE_CUDNN_INCLUDE_DIR)
    if(dir)
      list(APPEND REPRISE_CUDA_OPTIONS "-isystem${dir}")
    endif()
  endforeach()
  if(REPRISE_CUDNN_INCLUDE_DIR)
    list(APPEND REPRISE_CUDA_OPTIONS -DREPRISE_HAS_CUDNN)
  else()
    message(STATUS "reprise: cudnn.h was not found, so convolutions run on our own kernels.")
  endif()
endif()

# reprise_add_cuda(SOURCE...): kernels/cuda as a part of the library. -fmad=false for the reason of
# -ffp-contract=off (reprise_flags.cmake): what is to be fused says fma.
function(reprise_add_cuda)
  file(GLOB_RECURSE kernels CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/kernels/cuda/*.cu")
  set(headers "${PROJECT_BINARY_DIR}/device_headers.cpp")
  reprise_embed("${headers}"
    elementwise.h=core/ops/elementwise.h elementwise_op.h=core/ops/elementwise_op.h
    ../op.h=kernels/cuda/op_stand_in.h
    ../../core/half.h=core/half.h export.h=kernels/cuda/op_stand_in.h
    bit=kernels/cuda/op_stand_in.h concepts=kernels/cuda/op_stand_in.h
    cstdint=kernels/cuda/op_stand_in.h type_traits=kernels/cuda/op_stand_in.h
    half_number.cuh=kernels/cuda/half_number.cuh number.cuh=kernels/cuda/number.cuh
    divider.cuh=kernels/cuda/divider.cuh offsets.cuh=kernels/cuda/offsets.cuh
    pack.cuh=kernels/cuda/pack.cuh walk.cuh=kernels/cuda/walk.cuh)
  add_library(reprise_cuda OBJECT ${ARGN} ${kernels} ${headers})
  reprise_flags(reprise_cuda)
  target_compile_options(reprise_cuda PRIVATE ${REPRISE_CUDA_OPTIONS})
  target_compile_definitions(reprise_cuda PRIVATE
    REPRISE_HAS_CUDA REPRISE_CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
  target_compile_definitions(reprise PUBLIC REPRISE_HAS_CUDA)
  target_sources(reprise PRIVATE $<TARGET_OBJECTS:reprise_cuda>)
  target_link_libraries(reprise PRIVATE ${CMAKE_DL_LIBS})
  if(REPRISE_CUDA STREQUAL "EMULATED")
    target_sources(reprise_cuda PRIVATE "${PROJECT_SOURCE_DIR}/tests/emulator/grid.cpp"
      "${PROJECT_SOURCE_DIR}/tests/emulator/runtime.cpp")
    set_source_files_properties(${kernels} PROPERTIES LANGUAGE CXX)
    set(kernel_options -Wno-unknown-pragmas -include "${PROJECT_SOURCE_DIR}/tests/emulator/device.h")
    set_property(SOURCE ${kernels} APPEND PROPERTY COMPILE_OPTIONS ${kernel_options})
    reprise_allow_float_division_by_zero(SOURCE ${kernels})
    reprise_optimize_sanitized(TARGET reprise_cuda)
  else()
    set_target_properties(reprise_cuda PROPERTIES CUDA_VISIBILITY_PRESET hidden)
    target_compile_options(reprise_cuda PRIVATE
      "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--expt-relaxed-constexpr;--extended-lambda;-fmad=false>"
      "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${REPRISE_WERROR}>>:SHELL:-Werror all-warnings>")
    target_link_libraries(reprise PRIVATE $<LINK_ONLY:CUDA::cudart_static>)
  endif()
endfunction()
