// Tensors as text, as PyTorch prints them: nested brackets, long dimensions shortened in the
// middle.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <ostream>

#include "dispatch.h"
#include "ops.h"

namespace reprise {
namespace {

constexpr int64_t kEdge = 3;         // elements shown at each end of a shortened dimension
constexpr int64_t kPrintAll = 1000;  // tensors up to this size are printed whole

/// How all numbers of a tensor are written, decided by those that are finite and not zero.
class Format {
 public:
  explicit Format(DType dtype) : dtype_(dtype) {}

  void see(const Scalar& value) {
    if (!counts(value)) return;
    const double v = value.to<double>(), size = std::abs(v);
    whole_ &= v == std::floor(v);
    smallest_ = std::min(smallest_, size);
    largest_ = std::max(largest_, size);
  }
  bool counts(const Scalar& value) const {
    const double v = value.to<double>();
    return !is_floating_point(dtype_) || (std::isfinite(v) && v != 0);
  }

  std::string operator()(const Scalar& value) const {
    if (dtype_ == bool_) return value.to<int64_t>() != 0 ? "True" : "False";
    if (!is_floating_point(dtype_)) return text(value);
    const double v = value.to<double>();
    if (!std::isfinite(v)) return std::isnan(v) ? "nan" : v > 0 ? "inf" : "-inf";
    char buffer[40];
    std::snprintf(buffer, sizeof buffer, scientific() ? "%.4e" : whole_ ? "%.0f." : "%.4f", v);
    return buffer;
  }

 private:
  bool scientific() const {
    return largest_ > 1e8 || largest_ > 1000 * smallest_ || (!whole_ && smallest_ < 1e-4);
  }

  DType dtype_;
  bool whole_ = true;
  double smallest_ = std::numeric_limits<double>::infinity(), largest_ = 0;
};

class Printer {
 public:
  explicit Printer(const Tensor& x) : format_(x.dtype()), shorten_(x.numel() > kPrintAll) {
    measure(x);
    write(x, 0);
  }
  std::string take() { return std::move(out_); }

 private:
  template <class F>
  void each_shown(const Tensor& x, F&& f) const {
    const int64_t n = x.size(0);
    for (int64_t i = 0; i < n; ++i) {
      const bool hidden = shorten_ && n > 2 * kEdge && i >= kEdge && i < n - kEdge;
      if (!hidden) f(i, i == kEdge - 1 && shorten_ && n > 2 * kEdge);
    }
  }

  void measure(const Tensor& x) {
    each_value(x, [&](const Scalar& v) { format_.see(v); });
    each_value(x, [&](const Scalar& v) {
      if (format_.counts(v)) width_ = std::max(width_, format_(v).size());
    });
  }

  template <class F>
  void each_value(const Tensor& x, const F& f) const {
    if (x.dim() == 0) return f(x.scalar());
    each_shown(x, [&](int64_t i, bool) { each_value(x[i], f); });
  }

  void write(const Tensor& x, size_t indent) {
    if (x.dim() == 0) {
      const std::string digits = format_(x.scalar());
      out_ += std::string(std::max(width_, digits.size()) - digits.size(), ' ') + digits;
      return;
    }
    out_ += '[';
    const std::string separator = x.dim() == 1
                                      ? ", "
                                      : "," + std::string(static_cast<size_t>(x.dim() - 1), '\n') +
                                            std::string(indent + 1, ' ');
    each_shown(x, [&](int64_t i, bool gap) {
      write(x[i], indent + 1);
      if (i + 1 < x.size(0)) out_ += separator;
      if (gap) out_ += (x.dim() == 1 ? " ..." : "...") + separator;
    });
    out_ += ']';
  }

  Format format_;
  bool shorten_;
  size_t width_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "undefined";
  if (x.is_symbolic()) return x.impl().symbol->text();
  if (!x.has_data()) return text("meta ", x.dtype(), x.shape());
  const std::string values = x.numel() == 0 ? "[]" : Printer(x.detach().to(Device::cpu())).take();
  const bool on_cpu = x.device() == Device::cpu();
  return text(values, "\n", x.dtype(), x.shape(), on_cpu ? "" : " " + to_string(x.device()));
}

std::ostream& operator<<(std::ostream& out, const Tensor& tensor) {
  return out << to_string(tensor);
}

}  // namespace reprise
