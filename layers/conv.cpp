#include "conv.h"

#include "init.h"

namespace reprise::nn {
namespace {

void check_arguments(int64_t in, int64_t out, Pair kernel_size, const Conv2dOptions& o) {
  const auto positive = [](std::string_view what, Pair size) {
    check(size.h > 0 && size.w > 0, ErrorKind::Value, "Conv2d: expected ", what, " > 0, got ",
          size);
  };
  const auto divisible = [&](std::string_view what, int64_t channels) {
    check(channels > 0 && channels % o.groups == 0, ErrorKind::Value, "Conv2d: expected ", what,
          " > 0 and divisible by groups = ", o.groups, ", got ", channels);
  };
  check(o.groups > 0, ErrorKind::Value, "Conv2d: expected groups > 0, got ", o.groups);
  divisible("in_channels", in);
  divisible("out_channels", out);
  positive("kernel_size", kernel_size);
  positive("stride", o.stride);
  positive("dilation", o.dilation);
  check(o.padding.h >= 0 && o.padding.w >= 0, ErrorKind::Value,
        "Conv2d: expected padding >= 0, got ", o.padding);
}

std::string tuple_text(Pair p) { return text('(', p.h, ", ", p.w, ')'); }

}  // namespace

Conv2d::Conv2d(int64_t in_channels, int64_t out_channels, Pair kernel_size,
               const Conv2dOptions& options)
    : options_{options.stride, options.padding, options.dilation, options.groups} {
  check_arguments(in_channels, out_channels, kernel_size, options);
  const Shape shape{out_channels, in_channels / options.groups, kernel_size.h, kernel_size.w};
  const TensorOptions made{.dtype = options.dtype};
  weight_ = register_parameter("weight", empty(shape, made));
  bias_ = register_parameter("bias", options.bias ? empty({out_channels}, made) : Tensor());
  reset_parameters();
}

void Conv2d::reset_parameters() { init::reset_weight_and_bias(weight_, bias_); }

Tensor Conv2d::forward(const Tensor& x) const { return conv2d(x, weight_, bias_, options_); }

std::string Conv2d::extra_repr() const {
  const auto& [stride, padding, dilation, groups] = options_;
  std::string out = text(weight_.size(1) * groups, ", ", weight_.size(0),
                         ", kernel_size=", tuple_text({weight_.size(2), weight_.size(3)}),
                         ", stride=", tuple_text(stride));
  if (padding != Pair(0)) out += ", padding=" + tuple_text(padding);
  if (dilation != Pair(1)) out += ", dilation=" + tuple_text(dilation);
  if (groups != 1) out += text(", groups=", groups);
  if (!bias_.defined()) out += ", bias=False";
  return out;
}

}  // namespace reprise::nn
