#pragma once
// What makes an OpBase of an op struct: its traits are read off, its attributes are compared and
// written as text, and operands that its kernels do not take are copied on the way (adapted.cpp).

#include <algorithm>
#include <vector>

#include "tensor.h"

namespace reprise {

namespace detail {

template <class T>
concept HasVjp = requires(const T& op, const Vjp& v) {
  op.vjp(v);
};

template <class T>
constexpr OpTraits make_traits() {
  OpTraits t{.name = T::name, .differentiable = HasVjp<T>};
  if constexpr (requires { T::save_in; }) t.save_in = T::save_in;
  if constexpr (requires { T::save_out; }) t.save_out = T::save_out;
  if constexpr (requires { T::writes; }) t.writes = T::writes;
  if constexpr (requires { T::writes_period; }) {
    t.writes_from = T::writes_from;
    t.writes_period = T::writes_period;
  }
  if constexpr (requires { T::overwrites; }) t.overwrites = T::overwrites;
  if constexpr (requires { T::elementwise; }) t.elementwise = T::elementwise;
  if constexpr (requires { T::alias; }) t.alias = T::alias;
  if constexpr (requires { T::crosses; }) t.crosses = T::crosses;
  if constexpr (requires { T::effects; }) t.effects = T::effects;
  if constexpr (requires { T::half_on_cpu; }) t.half_on_cpu = T::half_on_cpu;
  if constexpr (requires { T::half_on_cuda; }) t.half_on_cuda = T::half_on_cuda;
  if constexpr (requires { T::follows_format; }) t.follows_format = T::follows_format;
  if constexpr (requires { T::channels_last_on_cpu; })
    t.channels_last_on_cpu = T::channels_last_on_cpu;
  if constexpr (requires { T::channels_last_on_cuda; })
    t.channels_last_on_cuda = T::channels_last_on_cuda;
  return t;
}

template <Op T>
inline constexpr OpTraits traits_of = make_traits<T>();

[[noreturn]] REPRISE_API void no_kernel(std::string_view op, Device device);

// Defined in adapted.cpp.
REPRISE_API size_t adapted_workspace(const OpBase& op, std::span<const Meta> in, Device device);
REPRISE_API void launch_adapted(const OpBase& op, Device device, const Launch& launch);

/// The rule of `follows_format`.
inline void follow_format(std::span<const Meta> in, std::span<Meta> out) {
  if (std::ranges::none_of(in, &Meta::is_channels_last)) [[likely]]
    return;
  for (Meta& meta : out) {
    if (meta.dim() == 4) meta.strides = dense_strides(meta.shape, channels_last);
  }
}

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

/// "{stride=[1, 1], padding=[0, 0]}". An attribute may be a list, or a struct with a tie() of its
/// own.
template <class T>
void append_attribute(std::string& out, const T& value) {
  if constexpr (is_vector<T>) {
    out += "[";
    size_t i = 0;
    for (const auto& item : value) out += i++ ? ", " : "", append_attribute(out, item);
    out += "]";
  } else if constexpr (requires { value.tie(); }) {
    out += "{";
    size_t i = 0;
    const auto append = [&](const auto& attr) {
      ((out += i++ ? ", " : "") += attr.name) += "=";
      append_attribute(out, attr.value);
    };
    std::apply([&](const auto&... attr) { (append(attr), ...); }, value.tie());
    out += "}";
  } else {
    append_part(out, value);
  }
}

}  // namespace detail

/// External polymorphism: gives any op struct the face of OpBase.
template <Op T>
class Model final : public OpBase {
 public:
  explicit Model(const T& op) : OpBase(&detail::traits_of<T>), op(op) {}

  Metas infer(std::span<const Meta> in) const override {
    Metas out = op.infer(in);
    if constexpr (detail::traits_of<T>.follows_format) detail::follow_format(in, out);
    return out;
  }
  size_t workspace(std::span<const Meta> in, Device device) const override {
    const auto takes = [&](const Meta& m) { return traits().takes(m, device.kind); };
    if (may_adapt(device) && !std::ranges::all_of(in, takes)) [[unlikely]]
      return detail::adapted_workspace(*this, in, device);
    if constexpr (requires { op.workspace(in, device); }) return op.workspace(in, device);
    return 0;
  }
  void launch(Device device, const Launch& l) const override {
    const auto takes = [&](const View& v) { return traits().takes(*v.meta, device.kind); };
    if (may_adapt(device) && !std::ranges::all_of(l.in, takes)) [[unlikely]]
      return detail::launch_adapted(*this, device, l);
    if constexpr (requires { op.cpu(l); }) {
      if (device.kind == Device::Kind::cpu) return op.cpu(l);
    }
#if defined(REPRISE_HAS_CUDA)
    if constexpr (requires { op.cuda(l); }) {
      if (device.kind == Device::Kind::cuda) return op.cuda(l);
    }
#endif
    detail::no_kernel(T::name, device);
  }
  Tensors vjp(const Vjp& v) const override {
    if constexpr (detail::HasVjp<T>) return op.vjp(v);
    fail(ErrorKind::Autograd, T::name, ": is not differentiable");
  }
  int64_t offset(const Meta& in) const override {
    if constexpr (requires { op.offset(in); }) return op.offset(in);
    return 0;
  }
  OpRef keep() const override { return make_ref<const Model>(op); }
  bool equals(const OpBase& other) const override {
    const auto* same = dynamic_cast<const Model*>(&other);
    if constexpr (requires { op.tie(); }) return same != nullptr && op.tie() == same->op.tie();
    return same != nullptr;
  }
  std::string text() const override {
    std::string out(T::name);
    if constexpr (requires { op.tie(); }) detail::append_attribute(out += " ", op);
    return out;
  }

  const T op;

 private:
  static constexpr bool may_adapt(Device device) {
    constexpr OpTraits traits = detail::traits_of<T>;
    return !traits.takes_half(device.kind) || !traits.takes_channels_last(device.kind);
  }
};

/// The typed op behind `op`, or null when it is another one.
template <Op T>
const T* as(const OpBase& op) {
  const auto* model = dynamic_cast<const Model<T>*>(&op);
  return model == nullptr ? nullptr : &model->op;
}

}  // namespace reprise
