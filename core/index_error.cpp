#include "index_error.h"

namespace reprise::detail {

void fail_index(std::string_view op, int dim, int64_t least, int64_t size, int64_t value,
                const Shape& position) {
  const std::string along = dim < 0 ? "" : text(" along dim ", dim);
  fail(ErrorKind::Index, op, ": expected indices in [", least, ", ", size, ")", along, ", got ",
       value, " at position ", position);
}

void fail_class(int64_t classes, int64_t value, int64_t position) {
  fail(ErrorKind::Index, "cross_entropy: expected class indices in [0, ", classes, "), got ", value,
       " at position ", position);
}

Shape index_of(int64_t i, const Shape& sizes) {
  Shape index = sizes;
  for (size_t d = sizes.size(); d-- > 0;) {
    index[d] = i % sizes[d];
    i /= sizes[d];
  }
  return index;
}

}  // namespace reprise::detail
