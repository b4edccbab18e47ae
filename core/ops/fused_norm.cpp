#include "fused_norm.h"

#include "check_operands.h"

namespace reprise {
namespace {

void check_like_x(std::string_view op, std::string_view argument, const Meta& got, const Meta& x) {
  check(got.shape == x.shape && got.dtype == x.dtype, ErrorKind::Shape, op, ": expected ", argument,
        " like x, ", x.dtype, x.shape, ", got ", got.dtype, got.shape);
}

}  // namespace

Metas FusedBatchNorm::infer(std::span<const Meta> in) const {
  check_count(name, in, 6 + size_t{residual});
  Metas out = BatchNorm{momentum, eps}.infer(in.first(6));
  if (!residual) return out;
  check_like_x(name, "a residual", in[6], in[0]);
  check_dense(name, std::array{in[0], in[6]});
  return out;
}

Metas FusedBatchNormGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 6, 6 + size_t{residual});
  Metas out = BatchNormGrad{}.infer(in.first(5));
  const Meta &x = in[1], &weight = in[2];
  if (!residual) {
    check(in[5].shape == weight.shape && in[5].dtype == weight.dtype, ErrorKind::Shape, name,
          ": expected bias like weight, ", weight.dtype, weight.shape, ", got ", in[5].dtype,
          in[5].shape);
    return out;
  }
  Metas images{in[0], x};
  for (const Meta& m : in.subspan(5)) {
    check_like_x(name, "y and gradients", m, x);
    images.push_back(m);
  }
  check_dense(name, images);
  out.push_back(Meta(x.shape, x.dtype));
  return out;
}

}  // namespace reprise
