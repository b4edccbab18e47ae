#pragma once
// The header of a safetensors file: what it says of each tensor, read without trust.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "safetensors.h"

namespace reprise {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  ///< as in the reference implementation
inline constexpr uint64_t kLengthBytes = 8;

struct TensorEntry {
  std::string name;
  Shape shape;
  DType dtype;
  uint64_t begin, end;  ///< of its bytes, counted from the end of the header
};

struct SafeTensorsHeader {
  std::vector<TensorEntry> entries;  ///< by `begin`, one after another without a gap
  Metadata metadata;
};

/// Parses the JSON text of a header before `data_bytes` bytes of values. Format error naming `path`
/// and the tensor unless the entries fit their shapes and cover these bytes exactly.
SafeTensorsHeader parse_header(const std::string& path, std::string_view json, uint64_t data_bytes);

/// The JSON text of the header, padded so that values after it are aligned to eight bytes.
/// Value error for text that is not UTF-8.
std::string header_text(const SafeTensorsHeader& header);

}  // namespace reprise
