#include "safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "../core/ops.h"
#include "file.h"
#include "safetensors_header.h"

namespace reprise {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors values are little-endian");

uint64_t read_header_size(const std::string& path, const InputFile& file) {
  check(file.size() >= kLengthBytes, ErrorKind::Format, path, ": is too short, with its ",
        file.size(), " bytes, for a safetensors file");
  uint64_t size = 0;
  file.read(0, std::as_writable_bytes(std::span(&size, 1)));
  check(size <= kMaxHeaderBytes, ErrorKind::Format, path, ": says that its header has ", size,
        " bytes; at most ", kMaxHeaderBytes, " are allowed");
  check(size <= file.size() - kLengthBytes, ErrorKind::Format, path,
        ": is truncated: its header of ", size, " bytes does not fit its ", file.size(), " bytes");
  return size;
}

std::span<std::byte> bytes_of(const Tensor& x) {
  return {static_cast<std::byte*>(x.raw_data()), x.meta().nbytes()};
}

Tensor read_tensor(const std::string& path, const InputFile& file, const TensorEntry& entry,
                   uint64_t data_start) {
  Tensor x = empty(entry.shape, {.dtype = entry.dtype});
  const auto bytes = bytes_of(x);
  file.read(data_start + entry.begin, bytes);
  // A bool of any other byte would be undefined behaviour.
  const bool valid = entry.dtype != bool_ || std::all_of(bytes.begin(), bytes.end(),
                                                         [](auto b) { return b <= std::byte{1}; });
  check(valid, ErrorKind::Format, path, ": tensor \"", entry.name,
        "\" has a BOOL that is neither 0 nor 1");
  return x;
}

Tensor dense_on_cpu(const std::string& name, const Tensor& x) {
  check(x.has_data(), ErrorKind::Value, "save_safetensors: tensor \"", name, "\" has no data");
  return x.detach().to(Device::cpu()).contiguous();
}

NamedTensors dense_copies(const NamedTensors& tensors) {
  NamedTensors dense;
  std::set<std::string_view> names{"__metadata__"};
  for (const auto& [name, x] : tensors) {
    check(names.insert(name).second, ErrorKind::Value, "save_safetensors: the name \"", name,
          "\" is reserved or given twice");
    dense.emplace_back(name, dense_on_cpu(name, x));
  }
  // Wide elements first: then every tensor is aligned to its element.
  std::stable_sort(dense.begin(), dense.end(), [](const auto& a, const auto& b) {
    return size_of(a.second.dtype()) > size_of(b.second.dtype());
  });
  return dense;
}

SafeTensorsHeader header_of(const NamedTensors& dense, const Metadata& metadata) {
  SafeTensorsHeader header{{}, metadata};
  uint64_t offset = 0;
  for (const auto& [name, x] : dense) {
    const uint64_t end = offset + x.meta().nbytes();
    header.entries.push_back({name, x.shape(), x.dtype(), offset, end});
    offset = end;
  }
  return header;
}

}  // namespace

Tensor SafeTensors::at(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const auto& named) { return named.first == name; });
  check(found != tensors.end(), ErrorKind::Value, "safetensors: there is no tensor \"", name, "\"");
  return found->second;
}

SafeTensors load_safetensors(const std::string& path) {
  const InputFile file(path);
  const uint64_t header_size = read_header_size(path, file);
  const uint64_t data_start = kLengthBytes + header_size;
  std::string json(header_size, '\0');
  file.read(kLengthBytes, std::as_writable_bytes(std::span(json)));
  SafeTensorsHeader header = parse_header(path, json, file.size() - data_start);
  SafeTensors result{{}, std::move(header.metadata)};
  for (const TensorEntry& entry : header.entries) {
    result.tensors.emplace_back(entry.name, read_tensor(path, file, entry, data_start));
  }
  return result;
}

void save_safetensors(const std::string& path, const NamedTensors& tensors,
                      const Metadata& metadata) {
  const NamedTensors dense = dense_copies(tensors);
  const std::string json = header_text(header_of(dense, metadata));
  const uint64_t size = json.size();
  check(size <= kMaxHeaderBytes, ErrorKind::Value, "save_safetensors: the header of ", size,
        " bytes is longer than the format allows");
  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&size, 1)));
  file.write(std::as_bytes(std::span(json)));
  for (const auto& [name, x] : dense) file.write(bytes_of(x));
  file.commit();
}

}  // namespace reprise
