#pragma once
// Where bytes live and in which order work is queued there.

#include <cstdint>
#include <string>

#include "error.h"

namespace reprise {

struct Device {
  /// `meta` has no bytes at all: ops on it infer shapes and compute nothing.
  enum class Kind : uint8_t { cpu, cuda, meta };

  Kind kind = Kind::cpu;
  int8_t index = 0;

  static constexpr Device cpu() { return {Kind::cpu, 0}; }
  /// The `index`-th GPU, whether it is there or not. Device error outside of [0, 127].
  static constexpr Device cuda(int index = 0) {
    if (index < 0 || index > INT8_MAX) fail_number(index);
    return {Kind::cuda, static_cast<int8_t>(index)};
  }
  static constexpr Device meta() { return {Kind::meta, 0}; }

  friend constexpr bool operator==(const Device&, const Device&) = default;

 private:
  [[noreturn]] static void fail_number(int index) {
    fail(ErrorKind::Device, "cuda:", index, " cannot be used: devices have numbers from 0 to 127");
  }
};

inline std::string to_string(Device d) {
  if (d.kind == Device::Kind::cpu) return "cpu";
  if (d.kind == Device::Kind::meta) return "meta";
  return text("cuda:", d.index);
}

/// A queue of a device: a cudaStream_t on CUDA, nothing on the CPU.
struct Stream {
  void* handle = nullptr;
};

}  // namespace reprise
