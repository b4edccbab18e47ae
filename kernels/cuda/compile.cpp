#include "compile.h"

#include <cstdlib>
#include <vector>

#include "disk_cache.h"
#include "libraries.h"

namespace reprise::cuda {
namespace {

/// -fmad=false: as for the other kernels (cmake/reprise_cuda.cmake), so that they have equal bits.
constexpr const char* kOptions[] = {"-std=c++20", "-fmad=false", "-default-device",
                                    "-DREPRISE_HD=__device__"};

class Compilation {
 public:
  explicit Compilation(const std::string& source) {
    std::vector<const char*> names, texts;
    for (const DeviceHeader& header : device_headers()) {
      names.push_back(header.name);
      texts.push_back(header.text);
    }
    REPRISE_CUDA_CHECK(nvrtc().nvrtcCreateProgram(&program_, source.c_str(), "reprise.cu",
                                                  static_cast<int>(names.size()), texts.data(),
                                                  names.data()));
  }
  ~Compilation() { (void)nvrtc().nvrtcDestroyProgram(&program_); }
  Compilation(const Compilation&) = delete;
  Compilation& operator=(const Compilation&) = delete;

  std::string run(const std::string& architecture) {
    const std::string target = "-arch=" + architecture;
    std::vector<const char*> options(std::begin(kOptions), std::end(kOptions));
    options.push_back(target.c_str());
    const nvrtcResult status =
        nvrtc().nvrtcCompileProgram(program_, static_cast<int>(options.size()), options.data());
    if (status != NVRTC_SUCCESS) {
      fail(ErrorKind::Device, "nvrtc: ", nvrtc().nvrtcGetErrorString(status), "\n", log());
    }
    size_t bytes = 0;
    REPRISE_CUDA_CHECK(nvrtc().nvrtcGetCUBINSize(program_, &bytes));
    std::string code(bytes, '\0');
    REPRISE_CUDA_CHECK(nvrtc().nvrtcGetCUBIN(program_, code.data()));
    return code;
  }

 private:
  std::string log() const {
    size_t bytes = 0;
    REPRISE_CUDA_CHECK(nvrtc().nvrtcGetProgramLogSize(program_, &bytes));
    std::string words(bytes, '\0');
    REPRISE_CUDA_CHECK(nvrtc().nvrtcGetProgramLog(program_, words.data()));
    return words;
  }

  nvrtcProgram program_ = nullptr;
};

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string cache_folder() {
  if (const std::string own = environment("REPRISE_CUDA_CACHE"); !own.empty()) return own;
  if (const std::string all = environment("XDG_CACHE_HOME"); !all.empty()) return all + "/reprise";
  const std::string home = environment("HOME");
  return home.empty() ? "" : home + "/.cache/reprise";
}

/// Of all that machine code depends on.
std::string name_of(const std::string& source, const std::string& architecture) {
  int major = 0, minor = 0;
  REPRISE_CUDA_CHECK(nvrtc().nvrtcVersion(&major, &minor));
  std::string all = text(major, ".", minor, " ", architecture, "\n", source);
  for (const char* option : kOptions) all += option;
  for (const DeviceHeader& header : device_headers()) all += header.text;
  return text(architecture, "-", digest(all), ".cubin");
}

}  // namespace

std::string compile(const std::string& source, const std::string& architecture) {
  return Compilation(source).run(architecture);
}

std::string compile_or_recall(const std::string& source, const std::string& architecture) {
  const DiskCache cache(cache_folder());
  const std::string name = name_of(source, architecture);
  if (const auto known = cache.read(name)) return *known;
  std::string code = compile(source, architecture);
  cache.write(name, code);
  return code;
}

}  // namespace reprise::cuda
