#include "pooling.h"

namespace reprise::nn {
namespace {

void check_positive(std::string_view layer, std::string_view argument, Pair size) {
  check(size.h > 0 && size.w > 0, ErrorKind::Value, layer, ": expected ", argument, " > 0, got ",
        size);
}

void check_window(std::string_view layer, Pair kernel_size, std::optional<Pair> stride,
                  Pair padding) {
  check_positive(layer, "kernel_size", kernel_size);
  check_positive(layer, "stride", stride.value_or(kernel_size));
  check(padding.h >= 0 && padding.w >= 0 && 2 * padding.h <= kernel_size.h &&
            2 * padding.w <= kernel_size.w,
        ErrorKind::Value, layer,
        ": expected padding between 0 and half of kernel_size = ", kernel_size, ", got ", padding);
}

/// One number where both are equal, as PyTorch prints what was given.
std::string size_text(Pair p) { return p.h == p.w ? text(p.h) : text('(', p.h, ", ", p.w, ')'); }

std::string window_text(Pair kernel_size, std::optional<Pair> stride, Pair padding) {
  return "kernel_size=" + size_text(kernel_size) +
         ", stride=" + size_text(stride.value_or(kernel_size)) + ", padding=" + size_text(padding);
}

}  // namespace

MaxPool2d::MaxPool2d(Pair kernel_size, const MaxPool2dOptions& options)
    : kernel_size_(kernel_size), options_(options) {
  check_window("MaxPool2d", kernel_size, options.stride, options.padding);
  check_positive("MaxPool2d", "dilation", options.dilation);
}

std::string MaxPool2d::extra_repr() const {
  return window_text(kernel_size_, options_.stride, options_.padding) +
         ", dilation=" + size_text(options_.dilation) +
         ", ceil_mode=" + (options_.ceil_mode ? "True" : "False");
}

AvgPool2d::AvgPool2d(Pair kernel_size, const AvgPool2dOptions& options)
    : kernel_size_(kernel_size), options_(options) {
  check_window("AvgPool2d", kernel_size, options.stride, options.padding);
  check(options.divisor_override.value_or(1) != 0, ErrorKind::Value,
        "AvgPool2d: expected divisor_override != 0, got 0");
}

std::string AvgPool2d::extra_repr() const {
  return window_text(kernel_size_, options_.stride, options_.padding);
}

}  // namespace reprise::nn
