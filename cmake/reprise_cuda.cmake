# Decides whether the library is built with CUDA. REPRISE_NVCC is the compiler's path, or NOTFOUND.
if(NOT REPRISE_CUDA STREQUAL "OFF")
  find_program(REPRISE_NVCC nvcc HINTS ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
endif()

if(REPRISE_CUDA STREQUAL "OFF")
  message(STATUS "reprise: CUDA is switched off.")
elseif(REPRISE_NVCC)
  message(STATUS "reprise: ${REPRISE_NVCC} is there, but this version has no GPU device yet.")
elseif(REPRISE_CUDA STREQUAL "ON")
  message(FATAL_ERROR "reprise: REPRISE_CUDA is ON, but nvcc was not found; set CUDA_PATH.")
else()
  message(STATUS "reprise: nvcc was not found, so there is no GPU device.")
endif()
