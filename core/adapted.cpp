// Kernels that know no 16-bit elements, or no channels-last order, are given copies of such
// operands in the scratch, float32 and row-major, and what the kernel wrote is rounded and put in
// order once on its way back. So sums are float32 sums, and what only moves is exact. Scratch: the
// copies, each at a multiple of kAlignment, then what the kernel asks for.

#include "model.h"
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

/// What a kernel sees of an operand that it does not take: `x` in `dtype`, dense but for the
/// dimensions that are expanded.
Meta adapted(const Meta& x, DType dtype, MemoryFormat format) {
  Meta out = places(x);
  out.dtype = dtype;
  out.strides = dense_strides(out.shape, format);
  for (size_t d = 0; d < x.shape.size(); ++d) {
    if (out.shape[d] != x.shape[d]) out.strides[d] = 0;
  }
  out.shape = x.shape;
  return out;
}

Meta adapted(const OpTraits& traits, Device::Kind kind, const Meta& x) {
  if (traits.takes(x, kind)) return x;
  const bool keeps_order = traits.follows_format && traits.takes_channels_last(kind);
  return adapted(x, is_half(x.dtype) && !traits.takes_half(kind) ? float32 : x.dtype,
                 keeps_order ? x.memory_format() : contiguous_format);
}

/// Whether memory can serve as both.
bool same_memory(const Meta& a, const Meta& b) { return a.dtype == b.dtype && same_layout(a, b); }

/// Scratch for an operand that the kernel sees as `seen`.
size_t copy_bytes(const Meta& x, const Meta& seen) {
  return same_memory(x, seen) ? 0 : aligned(places(seen).nbytes());
}

void copy(Device device, Stream stream, View to, View from) {
  const Meta target = places(*to.meta), source = places(*from.meta);
  const View in{from.data, &source}, out{to.data, &target};
  Model(Copy{target.dtype}).launch(device, {{&in, 1}, {&out, 1}, nullptr, stream});
}

/// A launch with copies in place of the operands that the kernel does not take.
class Adapted {
 public:
  Adapted(const OpBase& op, Device device, const Launch& l)
      : op_(op), device_(device), from_(l), seen_(l) {
    scratch_ = static_cast<std::byte*>(l.workspace);
    for (const std::span<const View> views : {l.in, l.out}) {
      for (const View& v : views) metas_.push_back(adapted(op.traits(), device.kind, *v.meta));
    }
    for (const std::span<const View> views : {l.in, l.out}) {
      for (const View& v : views) place(v);
    }
    seen_.in = std::span(views_.data(), l.in.size());
    seen_.out = std::span(views_.data() + l.in.size(), l.out.size());
    seen_.workspace = scratch_;
  }

  void run() const {
    for (size_t i = 0; i < from_.in.size(); ++i) move(seen_.in[i], from_.in[i]);
    op_.launch(device_, seen_);
    for (size_t i = 0; i < from_.in.size(); ++i) {
      if (op_.traits().writes_input(i)) move(from_.in[i], seen_.in[i]);
    }
    for (size_t i = 0; i < from_.out.size(); ++i) move(from_.out[i], seen_.out[i]);
  }

 private:
  void place(const View& v) {
    const Meta& seen = metas_[views_.size()];
    const size_t bytes = copy_bytes(*v.meta, seen);
    views_.push_back({same_memory(*v.meta, seen) ? v.data : scratch_, &seen});
    scratch_ += bytes;
  }
  void move(const View& to, const View& from) const {
    if (!same_memory(*to.meta, *from.meta)) copy(device_, from_.stream, to, from);
  }

  const OpBase& op_;
  Device device_;
  const Launch& from_;
  Launch seen_;
  std::byte* scratch_;
  SmallVector<Meta, 8> metas_;
  SmallVector<View, 8> views_;
};

}  // namespace

size_t adapted_workspace(const OpBase& op, std::span<const Meta> in, Device device) {
  size_t bytes = 0;
  SmallVector<Meta, 8> metas;
  const auto see = [&](const Meta& m) {
    const Meta seen = adapted(op.traits(), device.kind, m);
    bytes += copy_bytes(m, seen);
    return seen;
  };
  for (const Meta& m : in) metas.push_back(see(m));
  for (const Meta& m : op.infer(in)) see(m);
  return bytes + op.workspace(metas, device);
}

void launch_adapted(const OpBase& op, Device device, const Launch& launch) {
  Adapted(op, device, launch).run();
}

}  // namespace reprise::detail
