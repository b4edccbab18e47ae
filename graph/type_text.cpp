#include "type_text.h"

#include <algorithm>

#include "read_value.h"

namespace reprise::detail {

bool is_bare_name(std::string_view name) {
  return is_word(name) && name.find_first_not_of("0123456789") != name.npos;
}

std::string type_text(const Meta& meta) {
  std::string out = text(meta.dtype, meta.shape);
  if (meta.strides != contiguous_strides(meta.shape)) {
    out.back() = ' ';
    out += ": " + to_string(meta.strides).substr(1);
  }
  return meta.device == Device::cpu() ? out : text(out, " ", meta.device);
}

void check_extent(const Meta& meta) {
  int64_t last = 0;
  for (size_t d = 0; d < meta.shape.size(); ++d) {
    const int64_t size = meta.shape[d], stride = meta.strides[d];
    int64_t reach = 0;
    check(size >= 0 && stride >= 0 &&
              !__builtin_mul_overflow(std::max<int64_t>(size, 1), stride, &reach) &&
              !__builtin_add_overflow(last, reach, &last) && last <= 8 * kMostElements,
          ErrorKind::Shape, "the sizes ", meta.shape, " with strides ", meta.strides,
          " are too large or negative");
  }
  (void)meta.nbytes();
}

Meta read_type(TextReader& in) {
  Meta meta;
  read_value(in, meta.dtype);
  in.expect("[");
  meta.shape = meta.strides = read_sizes(in);
  const bool strided = in.accept(":");
  meta.strides = strided ? read_sizes(in) : contiguous_strides(meta.shape);
  if (meta.strides.dim() != meta.shape.dim()) in.fail_expected("as many strides as sizes");
  in.expect("]");
  if (in.peek() == "cuda" || in.peek() == "meta") read_value(in, meta.device);
  check_extent(meta);
  return meta;
}

}  // namespace reprise::detail
