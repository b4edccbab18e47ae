// Kernels that know no 16-bit elements run on float32: operands are copied into the scratch, wide,
// and what the kernel wrote is rounded once on its way back. So sums are float32 sums, and what
// only moves is exact. Scratch: the wide operands, each at a multiple of kAlignment, then what the
// kernel asks for.

#include "ops/elementwise.h"
#include "tensor.h"

namespace reprise::detail {
namespace {

constexpr size_t kAlignment = 256;

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

/// The elements of `x` that have a place of their own: what is expanded is there once.
Meta places(Meta x) {
  for (size_t d = 0; d < x.shape.size(); ++d) {
    if (x.strides[d] == 0 && x.shape[d] > 1) x.shape[d] = 1;
  }
  return x;
}

/// `x` in float32, dense but for the dimensions that are expanded.
Meta wide(const Meta& x) {
  Meta out(places(x).shape, float32, x.device);
  for (size_t d = 0; d < x.shape.size(); ++d) {
    if (out.shape[d] != x.shape[d]) out.strides[d] = 0;
  }
  out.shape = x.shape;
  return out;
}

size_t wide_bytes(const Meta& x) {
  return is_half(x.dtype) ? aligned(Meta(places(x).shape, float32).nbytes()) : 0;
}

void copy(Device device, Stream stream, View to, View from) {
  const Meta target = places(*to.meta), source = places(*from.meta);
  const View in{from.data, &source}, out{to.data, &target};
  Model(Copy{target.dtype}).launch(device, {{&in, 1}, {&out, 1}, nullptr, stream});
}

/// A launch with wide operands in place of those of 16 bits.
class Widened {
 public:
  Widened(Device device, const Launch& l) : device_(device), from_(l), wide_(l) {
    scratch_ = static_cast<std::byte*>(l.workspace);
    for (const std::span<const View> views : {l.in, l.out}) {
      for (const View& v : views)
        metas_.push_back(is_half(v.meta->dtype) ? wide(*v.meta) : *v.meta);
    }
    for (const std::span<const View> views : {l.in, l.out}) {
      for (const View& v : views) place(v);
    }
    wide_.in = std::span(views_.data(), l.in.size());
    wide_.out = std::span(views_.data() + l.in.size(), l.out.size());
    wide_.workspace = scratch_;
  }

  void run(const OpBase& op) const {
    for (size_t i = 0; i < from_.in.size(); ++i) move(wide_.in[i], from_.in[i]);
    op.launch(device_, wide_);
    for (size_t i = 0; i < from_.in.size(); ++i) {
      if (op.traits().writes_input(i)) move(from_.in[i], wide_.in[i]);
    }
    for (size_t i = 0; i < from_.out.size(); ++i) move(from_.out[i], wide_.out[i]);
  }

 private:
  void place(const View& v) {
    const bool is_wide = is_half(v.meta->dtype);
    views_.push_back({is_wide ? scratch_ : v.data, &metas_[views_.size()]});
    if (is_wide) scratch_ += wide_bytes(*v.meta);
  }
  void move(const View& to, const View& from) const {
    if (to.meta->dtype != from.meta->dtype) copy(device_, from_.stream, to, from);
  }

  Device device_;
  const Launch& from_;
  Launch wide_;
  std::byte* scratch_;
  SmallVector<Meta, 8> metas_;
  SmallVector<View, 8> views_;
};

}  // namespace

size_t widened_workspace(const OpBase& op, std::span<const Meta> in, Device device) {
  size_t bytes = 0;
  SmallVector<Meta, 8> metas;
  for (const Meta& m : in) {
    metas.push_back(is_half(m.dtype) ? wide(m) : m);
    bytes += wide_bytes(m);
  }
  for (const Meta& m : op.infer(in)) bytes += wide_bytes(m);
  return bytes + op.workspace(metas, device);
}

void launch_widened(const OpBase& op, Device device, const Launch& launch) {
  Widened(device, launch).run(op);
}

}  // namespace reprise::detail
