#pragma once
// CUDA C++ that is compiled while a program runs.

#include <span>
#include <string>

namespace reprise::cuda {

/// A header that the library carries along for such sources, by the name that includes it.
struct DeviceHeader {
  const char* name;
  const char* text;
};
/// Written by the build (cmake/reprise_embed.cmake).
std::span<const DeviceHeader> device_headers();

/// Machine code for an architecture such as "sm_90", by NVRTC. Device error with what the compiler
/// said, or when it is not there.
std::string compile(const std::string& source, const std::string& architecture);

/// The same, but what was compiled once is kept on the disk: in $REPRISE_CUDA_CACHE, else in
/// reprise in $XDG_CACHE_HOME or in ~/.cache. Without a folder that can be written nothing is kept.
std::string compile_or_recall(const std::string& source, const std::string& architecture);

}  // namespace reprise::cuda
