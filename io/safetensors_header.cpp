#include "safetensors_header.h"

#include <nlohmann/json.hpp>
#include <set>

namespace reprise {
namespace {

using nlohmann::json;

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr int kMaxDepth = 3;  // tensors, their fields, the numbers of a field

struct TypeName {
  std::string_view name;
  DType dtype;
};
constexpr std::array<TypeName, kDTypeCount> kTypeNames{{{"F32", float32},
                                                        {"F64", float64},
                                                        {"I64", int64},
                                                        {"I32", int32},
                                                        {"U8", uint8},
                                                        {"BOOL", bool_},
                                                        {"F16", float16},
                                                        {"BF16", bfloat16}}};

/// States what a header must hold; `path` stands in front of every message.
class HeaderReader {
 public:
  HeaderReader(const std::string& path, uint64_t data_bytes)
      : path_(path), data_bytes_(data_bytes) {}

  SafeTensorsHeader read(std::string_view text) const {
    const json root = parse(text);
    require(root.is_object(), "the header is no JSON object");
    SafeTensorsHeader header;
    for (const auto& [name, value] : root.items()) {
      if (name == kMetadataKey)
        header.metadata = read_metadata(value);
      else
        header.entries.push_back(read_entry(name, value));
    }
    sort_and_check_cover(header.entries);
    return header;
  }

 private:
  template <class... Parts>
  void require(bool ok, const Parts&... parts) const {
    check(ok, ErrorKind::Format, path_, ": ", parts...);
  }

  /// The JSON tree; refuses deep nesting and duplicate keys while it is built.
  json parse(std::string_view text) const {
    std::vector<std::set<std::string>> keys;
    const auto watch = [&](int depth, json::parse_event_t event, json& value) {
      require(depth <= kMaxDepth, "the header is nested too deeply");
      if (event == json::parse_event_t::object_start) keys.emplace_back();
      if (event == json::parse_event_t::object_end) keys.pop_back();
      if (event == json::parse_event_t::key) {
        const auto& key = value.get_ref<const std::string&>();
        require(keys.back().insert(key).second, "the header has the key \"", key, "\" twice");
      }
      return true;
    };
    try {
      return json::parse(text, watch);
    } catch (const json::parse_error& error) {
      fail(ErrorKind::Format, path_, ": the header is no valid JSON at its byte ", error.byte);
    } catch (const json::exception&) {  // a number that no double holds
      fail(ErrorKind::Format, path_, ": the header is no valid JSON");
    }
  }

  Metadata read_metadata(const json& value) const {
    require(value.is_object(), kMetadataKey, " is no JSON object");
    Metadata metadata;
    for (const auto& [key, item] : value.items()) {
      require(item.is_string(), "the metadata \"", key, "\" is no string");
      metadata.emplace(key, item.get<std::string>());
    }
    return metadata;
  }

  TensorEntry read_entry(const std::string& name, const json& value) const {
    require(value.is_object(), "tensor \"", name, "\" is no JSON object");
    const DType dtype = read_dtype(name, field(name, value, "dtype"));
    const Shape shape = read_shape(name, field(name, value, "shape"));
    const json& offsets = field(name, value, "data_offsets");
    require(offsets.is_array() && offsets.size() == 2, "tensor \"", name,
            "\" has data_offsets that are no pair");
    const uint64_t begin = read_number(name, offsets[0]), end = read_number(name, offsets[1]);
    require(begin <= end && end <= data_bytes_, "tensor \"", name, "\" has data_offsets [", begin,
            ", ", end, "] outside of the ", data_bytes_, " bytes of values");
    require(end - begin == bytes_of(name, shape, dtype), "tensor \"", name, "\" of shape ", shape,
            " and dtype ", dtype, " does not fill its ", end - begin, " bytes");
    return {name, shape, dtype, begin, end};
  }

  const json& field(const std::string& name, const json& value, const char* key) const {
    const auto found = value.find(key);
    require(found != value.end(), "tensor \"", name, "\" has no ", key);
    return *found;
  }

  DType read_dtype(const std::string& name, const json& value) const {
    require(value.is_string(), "tensor \"", name, "\" has a dtype that is no string");
    const auto& given = value.get_ref<const std::string&>();
    for (const TypeName& type : kTypeNames) {
      if (type.name == given) return type.dtype;
    }
    fail(ErrorKind::Format, path_, ": tensor \"", name, "\" has dtype \"", given,
         "\"; expected F32, F64, I64, I32, U8 or BOOL");
  }

  Shape read_shape(const std::string& name, const json& value) const {
    require(value.is_array(), "tensor \"", name, "\" has a shape that is no list");
    require(value.size() <= kMaxDims, "tensor \"", name, "\" has ", value.size(),
            " dimensions; expected at most ", kMaxDims);
    Shape shape;
    for (const json& size : value) {
      shape.push_back(static_cast<int64_t>(read_number(name, size)));
    }
    return shape;
  }

  /// An integer from 0 to 2^63 - 1.
  uint64_t read_number(const std::string& name, const json& value) const {
    require(value.is_number_unsigned() && value.get<uint64_t>() <= INT64_MAX, "tensor \"", name,
            "\" has a size or an offset that is no integer from 0 to 2^63 - 1");
    return value.get<uint64_t>();
  }

  /// Empty dimensions count as one for the check: strides must not overflow either.
  uint64_t bytes_of(const std::string& name, const Shape& shape, DType dtype) const {
    int64_t bytes = static_cast<int64_t>(size_of(dtype));
    bool empty = false, fits = true;
    for (const int64_t size : shape) {
      empty |= size == 0;
      fits &= !__builtin_mul_overflow(bytes, std::max<int64_t>(size, 1), &bytes);
    }
    require(fits, "tensor \"", name, "\" has a shape whose bytes do not fit 63 bits");
    return empty ? 0 : static_cast<uint64_t>(bytes);
  }

  void sort_and_check_cover(std::vector<TensorEntry>& entries) const {
    std::sort(entries.begin(), entries.end(), [](const TensorEntry& a, const TensorEntry& b) {
      return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    uint64_t covered = 0;
    for (const TensorEntry& entry : entries) {
      require(entry.begin == covered, "tensor \"", entry.name, "\" begins at byte ", entry.begin,
              entry.begin < covered ? ", inside of the one before it, which ends at "
                                    : ", behind a hole that begins at ",
              covered);
      covered = entry.end;
    }
    require(covered == data_bytes_, "the tensors end at byte ", covered, " of ", data_bytes_,
            " bytes of values");
  }

  const std::string& path_;
  uint64_t data_bytes_;
};

std::string_view type_name(DType dtype) {
  const auto same = [&](const TypeName& type) { return type.dtype == dtype; };
  return std::find_if(kTypeNames.begin(), kTypeNames.end(), same)->name;
}

}  // namespace

SafeTensorsHeader parse_header(const std::string& path, std::string_view json,
                               uint64_t data_bytes) {
  return HeaderReader(path, data_bytes).read(json);
}

std::string header_text(const SafeTensorsHeader& header) {
  nlohmann::ordered_json root = nlohmann::ordered_json::object();
  if (!header.metadata.empty()) root[std::string(kMetadataKey)] = header.metadata;
  for (const TensorEntry& entry : header.entries) {
    root[entry.name] = {{"dtype", type_name(entry.dtype)},
                        {"shape", std::vector<int64_t>(entry.shape.begin(), entry.shape.end())},
                        {"data_offsets", {entry.begin, entry.end}}};
  }
  try {
    std::string text = root.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::Value, "save_safetensors: expected names and metadata in UTF-8");
  }
}

}  // namespace reprise
