#pragma once
// Named tensors in the safetensors format (https://huggingface.co/docs/safetensors): eight bytes
// with the length of a JSON header, the header, the values, little-endian and dense.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../core/tensor.h"

namespace reprise {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
using Metadata = std::map<std::string, std::string>;

struct SafeTensors {
  NamedTensors tensors;  ///< in the order of their bytes in the file
  Metadata metadata;

  /// The tensor of that name. Value error when there is none.
  REPRISE_API Tensor at(std::string_view name) const;
};

/// Reads all tensors of a file that nobody has to trust. Io error when it cannot be read, Format
/// error when it is not exactly what the format says, each with path and reason.
REPRISE_API SafeTensors load_safetensors(const std::string& path);

/// Writes dense copies of `tensors`; the file appears under its name when it is complete. Io error
/// when it cannot be written; Value error for a name that is given twice, reserved or not UTF-8,
/// and for a tensor without data.
REPRISE_API void save_safetensors(const std::string& path, const NamedTensors& tensors,
                                  const Metadata& metadata = {});

}  // namespace reprise
