// Equality of graphs up to the numbers of their values.

#include <algorithm>

#include "graph.h"

namespace reprise {
namespace {

/// Walks two graphs side by side and pairs their values as they are defined.
class Pairing {
 public:
  Pairing(const Graph& a, const Graph& b) : a_(a), b_(b), of_(a.values.size(), kNoValue) {}

  bool run() {
    return define(a_.inputs, b_.inputs) && same_captures() && a_.prologue == b_.prologue &&
           std::ranges::equal(a_.code, b_.code,
                              [this](const Call& x, const Call& y) { return same(x, y); }) &&
           same(a_.outputs, b_.outputs) &&
           std::ranges::equal(a_.updates, b_.updates, [this](const Update& x, const Update& y) {
             return same(x.root, y.root) && same(x.last, y.last);
           });
  }

 private:
  bool same(ValueId x, ValueId y) const {
    return x == kNoValue || y == kNoValue ? x == y : of_[static_cast<size_t>(x)] == y;
  }
  bool same(std::span<const ValueId> x, std::span<const ValueId> y) const {
    return std::ranges::equal(x, y, [this](ValueId p, ValueId q) { return same(p, q); });
  }

  bool define(ValueId x, ValueId y) {
    of_[static_cast<size_t>(x)] = y;
    const Value &v = a_.value(x), &w = b_.value(y);
    return v.meta == w.meta && v.offset == w.offset && same(v.root, w.root);
  }
  bool define(std::span<const ValueId> x, std::span<const ValueId> y) {
    return std::ranges::equal(x, y, [this](ValueId p, ValueId q) { return define(p, q); });
  }
  bool same_captures() {
    return std::ranges::equal(a_.captures, b_.captures, [this](const Capture& x, const Capture& y) {
      return x.name == y.name && define(x.value, y.value);
    });
  }

  bool same(const Call& x, const Call& y) {
    return x.op->equals(*y.op) && same(x.in, y.in) && same(x.into, y.into) && define(x.out, y.out);
  }

  const Graph &a_, &b_;
  std::vector<ValueId> of_;  // the value of b that goes with each of a
};

}  // namespace

bool operator==(const Graph& a, const Graph& b) { return Pairing(a, b).run(); }

}  // namespace reprise
