// Runs of elementwise ops become kernels of their own when they are met for the first time. Kernels
// are told apart by what they compute, not by sizes, and are kept as long as the program runs.

#include "fused_compiled.h"

#include <map>
#include <mutex>

#include "compile.h"
#include "handles.h"
#include "on_device.h"
#include "relaxed_capture.h"
#include "walk.cuh"

namespace reprise::cuda {
namespace {

constexpr unsigned kThreads = 256;

/// Null where the compiler refused.
struct Kernels {
  cudaKernel_t packs = nullptr, elements = nullptr;
};

std::string architecture() {
  const int device = current_device();
  int major = 0, minor = 0;
  REPRISE_CUDA_CHECK(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
  REPRISE_CUDA_CHECK(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device));
  return text("sm_", major, minor);
}

Kernels load(const std::string& image) {
  cudaLibrary_t library = nullptr;
  Kernels kernels;
  REPRISE_CUDA_CHECK(cudaLibraryLoadData(&library, image.data(), nullptr, nullptr, 0, nullptr,
                                         nullptr, 0));  // never unloaded
  REPRISE_CUDA_CHECK(cudaLibraryGetKernel(&kernels.packs, library, "packs"));
  REPRISE_CUDA_CHECK(cudaLibraryGetKernel(&kernels.elements, library, "elements"));
  return kernels;
}

Kernels make(const FusedCode& code, const std::string& target) {
  const RelaxedCapture relaxed;
  try {
    return load(compile_or_recall(source_of(code), target));
  } catch (const Error&) {
    return {};
  }
}

Kernels kernels_of(const FusedCode& code) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, Kernels, std::less<>>;
  static_assert(std::has_unique_object_representations_v<FusedCode>);
  const std::string target = architecture();
  const std::string key = target + std::string(reinterpret_cast<const char*>(&code), sizeof(code));
  const std::lock_guard lock(mutex);
  const auto found = known.find(key);
  return found != known.end() ? found->second
                              : known.emplace(key, make(code, target)).first->second;
}

/// Calls f.operator()<n>().
template <int N = 2, class F>
void with_count(int n, const F& f) {
  if constexpr (N < kMostOperands) {
    if (n > N) return with_count<N + 1>(n, f);
  }
  f.template operator()<N>();
}

void launch_compiled(cudaKernel_t kernel, uint32_t blocks, Stream stream, void** arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = kThreads;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  REPRISE_CUDA_CHECK(
      cudaLaunchKernelExC(&config, reinterpret_cast<const void*>(kernel), arguments));
}

}  // namespace

bool try_compiled(const FusedCode& code, const Layout& layout, std::span<const View> views,
                  Stream stream) {
  if (!has_nvrtc()) return false;
  const Kernels kernels = kernels_of(code);
  if (kernels.elements == nullptr) return false;
  constexpr int64_t kMostInLaunch = int64_t{1} << 30;  // 32 bits find the place of an element
  void* addresses[kMostOperands];
  for (size_t k = 0; k < views.size(); ++k) addresses[k] = views[k].data;
  for_each_part(layout, kMostInLaunch, [&](const Layout& part) {
    const bool packs = part.takes_packs(views, code.width());
    const auto in_block = kThreads * static_cast<uint32_t>(code.packs());
    with_count(code.operands(), [&]<int N>() {
      Walk<N> walk(part, packs ? code.width() : 1);
      void* arguments[] = {&walk, addresses};
      launch_compiled(packs ? kernels.packs : kernels.elements,
                      std::max(1U, (walk.packs + in_block - 1) / in_block), stream, arguments);
    });
  });
  return true;
}

}  // namespace reprise::cuda
