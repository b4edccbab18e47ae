#include "matmul.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {
namespace {

/// The last two dimensions exchanged.
Tensor transposed(const Tensor& x) { return transpose(x, -1, -2); }

}  // namespace

Metas MatMul::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in);
  const Shape &a = in[0].shape, &b = in[1].shape;
  const size_t r = a.size();
  check((r == 2 || r == 3) && b.size() == r && (r == 2 || a[0] == b[0]), ErrorKind::Shape,
        "matmul: expected two matrices or two batches of them, got ", a, " and ", b);
  check(a[r - 1] == b[r - 2], ErrorKind::Shape, "matmul: cannot multiply ", a, " by ", b,
        ": expected inner sizes alike, got ", a[r - 1], " and ", b[r - 2]);
  Shape out = a;
  out[r - 1] = b[r - 1];
  return {checked_meta(name, out, in[0].dtype)};
}

Tensors MatMul::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &a = v.in[0], &b = v.in[1];
  return {v.needs[0] ? apply(MatMul{}, gy, transposed(b)) : Tensor(),
          v.needs[1] ? apply(MatMul{}, transposed(a), gy) : Tensor()};
}

Metas Linear::infer(std::span<const Meta> in) const {
  check_count(name, in, 2, 3);
  check_floating(name, in);
  const Shape &x = in[0].shape, &w = in[1].shape;
  check(w.size() == 2, ErrorKind::Shape, "linear: expected a weight [out, in], got ", w);
  check(x.size() == 2 && x[1] == w[1], ErrorKind::Shape, "linear: expected ", w[1],
        " features for a weight ", w, ", got x of shape ", x);
  check(in.size() == 2 || in[2].shape == Shape{w[0]}, ErrorKind::Shape,
        "linear: expected a bias of shape [", w[0], "], got ", in.back().shape);
  check_dense(name, in.subspan(2));
  return {checked_meta(name, {x[0], w[0]}, in[0].dtype)};
}

Tensors Linear::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &x = v.in[0], &w = v.in[1];
  if (v.in.size() == 3 && v.needs[1] && v.needs[2]) {
    const Tensors both = dispatch(Model(LinearWeightGrad{}), Tensors{gy, x});
    return {v.needs[0] ? apply(MatMul{}, gy, w) : Tensor(), both[0], both[1]};
  }
  Tensors g{v.needs[0] ? apply(MatMul{}, gy, w) : Tensor(),
            v.needs[1] ? apply(MatMul{}, transposed(gy), x) : Tensor()};
  if (v.in.size() == 3) g.push_back(v.needs[2] ? sum(gy, 0) : Tensor());
  return g;
}

Metas LinearWeightGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in);
  const Shape &gy = in[0].shape, &x = in[1].shape;
  check(gy.size() == 2 && x.size() == 2 && gy[0] == x[0], ErrorKind::Shape,
        "linear_weight_grad: expected a gradient [N, out] and x [N, in], got ", gy, " and ", x);
  return {checked_meta(name, {gy[1], x[1]}, in[0].dtype), Meta({gy[1]}, in[0].dtype)};
}

// Both are bilinear: what comes back is a linear layer of the gradients.
Tensors LinearWeightGrad::vjp(const Vjp& v) const {
  const Tensor &gw = v.gy[0], &gb = v.gy[1], &gy = v.in[0], &x = v.in[1];
  Tensors g(2);
  if (v.needs[0]) g[0] = gw.defined() ? linear(x, gw, gb) : expand(gb, gy.shape());
  if (v.needs[1]) g[1] = gw.defined() ? apply(MatMul{}, gy, gw) : zeros_like(x);
  return g;
}

// ---- public functions
// --------------------------------------------------------------------------------

namespace {

/// [.., M, K] as [B, M, K] with the batch dimensions of `batch`.
Tensor as_batch(const Tensor& x, const Shape& batch) {
  Shape full = batch;
  full.push_back(x.size(-2));
  full.push_back(x.size(-1));
  return reshape(expand(x, full), {batch.numel(), x.size(-2), x.size(-1)});
}

Shape batch_of(const Tensor& x) { return Shape(std::span(x.shape().data(), x.shape().size() - 2)); }

/// Both at least matrices.
Tensor multiply(const Tensor& a, const Tensor& b) {
  if (a.dim() == 2 && b.dim() == 2) return apply(MatMul{}, a, b);
  check(a.size(-1) == b.size(-2), ErrorKind::Shape, "matmul: cannot multiply ", a.shape(), " by ",
        b.shape(), ": expected inner sizes alike, got ", a.size(-1), " and ", b.size(-2));
  Shape out = b.dim() == 2 ? batch_of(a) : broadcast_shapes("matmul", batch_of(a), batch_of(b));
  const Tensor y = b.dim() == 2
                       ? apply(MatMul{}, reshape(a, {out.numel() * a.size(-2), a.size(-1)}), b)
                       : apply(MatMul{}, as_batch(a, out), as_batch(b, out));
  out.push_back(a.size(-2));
  out.push_back(b.size(-1));
  return reshape(y, out);
}

Tensor matmul_any(const Tensor& a, const Tensor& b) {
  check(a.dim() > 0 && b.dim() > 0, ErrorKind::Shape,
        "matmul: expected at least 1 dimension on both sides, got ", a.shape(), " and ", b.shape());
  const DType dtype = promote(a.dtype(), b.dtype());
  const Tensor x = a.dim() == 1 ? unsqueeze(a, 0) : a;
  const Tensor z = b.dim() == 1 ? unsqueeze(b, 1) : b;
  Tensor y = multiply(x.to(dtype), z.to(dtype));
  if (b.dim() == 1) y = squeeze(y, -1);
  if (a.dim() == 1) y = squeeze(y, b.dim() == 1 ? -1 : -2);
  return y;
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) { return composite("matmul", matmul_any, a, b); }

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return composite(
      "linear",
      [](const Tensor& a, const Tensor& w, const Tensor& b) {
        const auto run = [&](const Tensor& rows) {
          return b.defined() ? apply(Linear{}, rows, w, b.contiguous()) : apply(Linear{}, rows, w);
        };
        if (a.dim() == 2) return run(a);
        check(a.dim() > 0 && w.dim() == 2 && a.size(-1) == w.size(1), ErrorKind::Shape,
              "linear: expected x [.., in] for a weight [out, in] of shape ", w.shape(), ", got ",
              a.shape());
        Shape out = a.shape();
        const int64_t in = out.back();
        out.erase(out.dim() - 1);
        const Tensor y = run(reshape(a, {out.numel(), in}));
        out.push_back(y.size(1));
        return reshape(y, out);
      },
      x, weight, bias);
}

}  // namespace reprise
