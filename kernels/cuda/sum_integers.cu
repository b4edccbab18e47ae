#include "sum.cuh"

namespace reprise::cuda {

void sum_integers(const Launch& l, const Shape& dims) {
  switch (l.in[0].meta->dtype) {
    case DType::int64: return sum<int64_t, int64_t>(l, dims);
    case DType::int32: return sum<int32_t, int64_t>(l, dims);
    default: return sum<uint8_t, int64_t>(l, dims);
  }
}

}  // namespace reprise::cuda
