#pragma once
// An op is a small struct, defined once:
//
//   struct Conv2d {
//     Pair stride, padding, dilation; int64_t groups;                    attributes
//     static constexpr std::string_view name = "conv2d";
//     static constexpr unsigned save_in = 0b011;                         what backward needs
//     auto tie() const { return std::tuple(Attr("stride", stride), ...); }   ==, hash, text
//     Metas infer(std::span<const Meta>) const;                          shapes, dtypes; checks
//     size_t workspace(std::span<const Meta>, Device) const;             scratch bytes
//     void cpu(const Launch&) const;  void cuda(const Launch&) const;    kernels
//     Tensors vjp(const Vjp&) const;                                     made of public ops
//   };
//
// More traits, static constexpr bool:
// - `half_on_cpu`, `half_on_cuda`: the kernel takes float16 and bfloat16 as they are. Any other is
//   given such operands as float32 (adapted.cpp).
// - `follows_format`: results of 4 dimensions are channels-last (memory_format.h) when any operand
//   is. That is the whole rule of memory formats: infer need not care, Model applies it. Results of
//   other ops are row-major.
// - `channels_last_on_cpu`, `channels_last_on_cuda`: the kernel of such an op writes results, and
//   reads operands, that are dense in either order, as their metas say. Any other is given
//   row-major copies.
//
// Everything that can happen to an op (eager run, tape, trace, plan) goes through the OpBase below,
// which model.h makes of the struct.

#include <bit>
#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <tuple>

#include "meta.h"
#include "ref.h"
#include "small_vector.h"

namespace reprise {

class Tensor;
enum class ElementwiseIndex : int8_t;  // ops/elementwise.h
using Tensors = SmallVector<Tensor, 3>;
using Metas = SmallVector<Meta, 3>;

/// One operand of a kernel.
struct View {
  void* data = nullptr;
  const Meta* meta = nullptr;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

/// All that a kernel sees. Outputs are allocated and dense, row-major or, for a kernel that says
/// that it takes them, channels-last; those of an op that runs in place have any strides.
struct Launch {
  std::span<const View> in, out;
  void* workspace = nullptr;
  Stream stream;
};

/// What a gradient is made of. Operands that were not saved have a shape but no data; `gy` of an
/// output that nobody used is undefined. The result has one tensor per input; those that `needs`
/// excludes may be left undefined.
struct Vjp {
  std::span<const Tensor> in, out, gy;
  std::span<const bool> needs;
};

/// A named attribute: what tie() is made of.
template <class T>
struct Attr {
  std::string_view name;
  const T& value;
  Attr(std::string_view attribute, const T& v) : name(attribute), value(v) {}
  friend bool operator==(const Attr& a, const Attr& b) {
    // By bits: an op of -0.0 is another one than that of 0.0, and an op of NaN equals itself.
    if constexpr (std::is_same_v<T, double>)
      return std::bit_cast<uint64_t>(a.value) == std::bit_cast<uint64_t>(b.value);
    else
      return a.value == b.value;
  }
};

template <class T>
concept Op = std::copyable<T> && requires(const T& op, std::span<const Meta> in) {
  { T::name } -> std::convertible_to<std::string_view>;
  { op.infer(in) } -> std::same_as<Metas>;
};

struct OpTraits {
  std::string_view name;
  unsigned save_in = 0, save_out = 0;  ///< bit i: backward needs the data of operand i
  unsigned writes = 0;                 ///< bit i: input i is updated in place (writes_input)
  unsigned writes_from = 0, writes_period = 0;  ///< inputs from here on repeat those of a period
  /// bit i: the kernel may write its first output exactly over input i, when both are dense in one
  /// order and of the same number of bytes
  unsigned overwrites = 0;
  ElementwiseIndex elementwise{-1};  ///< its place among the elementwise ops and Copy; -1: none
  bool alias = false;                ///< the output is a view of the input; no kernel
  bool crosses = false;  ///< `infer` says where the output lies, not the input; the host runs it
  bool effects = false;  ///< running it does more than make outputs: it is kept, once, in order
  bool differentiable = false;
  bool half_on_cpu = false, half_on_cuda = false;  ///< its kernel takes 16-bit elements as they are
  bool follows_format = false;                     ///< results are channels-last when an operand is
  bool channels_last_on_cpu = false, channels_last_on_cuda = false;  ///< its kernel takes those

  constexpr bool takes_half(Device::Kind kind) const {
    return kind == Device::Kind::cuda ? half_on_cuda : half_on_cpu;
  }
  constexpr bool takes_channels_last(Device::Kind kind) const {
    return !follows_format ||
           (kind == Device::Kind::cuda ? channels_last_on_cuda : channels_last_on_cpu);
  }
  /// Whether the kernel reads such an operand as it is; else it is given a copy (adapted.cpp).
  bool takes(const Meta& m, Device::Kind kind) const {
    return (takes_half(kind) || !is_half(m.dtype)) &&
           (takes_channels_last(kind) || !m.is_channels_last());
  }

  /// Whether the op updates input i in place; inputs behind a first period do as those of it.
  bool writes_input(size_t i) const {
    if (writes_period != 0 && i >= writes_from) i = writes_from + (i - writes_from) % writes_period;
    return i < 32 && (writes >> i & 1u) != 0;
  }
};

/// An op without its type: what dispatch, the tape and graphs hold.
class OpBase : public RefCounted<OpBase> {
 public:
  virtual ~OpBase() = default;

  const OpTraits& traits() const { return *traits_; }
  std::string_view name() const { return traits_->name; }

  virtual Metas infer(std::span<const Meta> in) const = 0;
  /// Scratch bytes that the kernel needs on that device.
  virtual size_t workspace(std::span<const Meta> in, Device device) const = 0;
  /// Runs the kernel of `device`.
  virtual void launch(Device device, const Launch& launch) const = 0;
  virtual Tensors vjp(const Vjp& v) const = 0;
  /// Alias ops: first element of the output, counted from that of the input.
  virtual int64_t offset(const Meta& in) const = 0;
  virtual Ref<const OpBase> keep() const = 0;
  virtual bool equals(const OpBase& other) const = 0;
  /// "conv2d {stride=[1, 1], padding=[0, 0]}"
  virtual std::string text() const = 0;

 protected:
  explicit OpBase(const OpTraits* traits) : traits_(traits) {}

 private:
  const OpTraits* traits_;
};

using OpRef = Ref<const OpBase>;

}  // namespace reprise
