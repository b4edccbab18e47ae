# Decides whether the library is built with CUDA; REPRISE_BUILDS_CUDA says so. Only the runtime is
# linked, statically: the other libraries of CUDA are loaded when they are used.
set(REPRISE_BUILDS_CUDA OFF)
if(NOT REPRISE_CUDA STREQUAL "OFF")
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
  add_library(reprise_cuda OBJECT ${ARGN} ${kernels})
  reprise_flags(reprise_cuda)
  set_target_properties(reprise_cuda PROPERTIES CUDA_VISIBILITY_PRESET hidden)
  target_compile_options(reprise_cuda PRIVATE ${REPRISE_CUDA_OPTIONS}
    "$<$<COMPILE_LANGUAGE:CUDA>:-std=c++20;--expt-relaxed-constexpr;--extended-lambda;-fmad=false>"
    "$<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${REPRISE_WERROR}>>:SHELL:-Werror all-warnings>")
  target_compile_definitions(reprise_cuda PRIVATE
    REPRISE_CUDA_LIBRARY_DIR="${CUDAToolkit_LIBRARY_DIR}")
  target_sources(reprise PRIVATE $<TARGET_OBJECTS:reprise_cuda>)
  target_link_libraries(reprise PRIVATE
    $<LINK_ONLY:CUDA::cudart_static> ${CMAKE_DL_LIBS})
  if(REPRISE_CUDA_KERNELS)
    target_compile_definitions(reprise PUBLIC REPRISE_HAS_CUDA)
    target_compile_definitions(reprise_cuda PRIVATE REPRISE_HAS_CUDA)
  endif()
endfunction()
