#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "../../core/ops/cat.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/view.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

// ---- views
// ---------------------------------------------------------------------------------------------

bool same_view(const Rewriter& r, ValueId a, ValueId b) {
  const Value &x = r.value(a), &y = r.value(b);
  return x.root == y.root && x.offset == y.offset && x.meta == y.meta;
}

/// A view of all of its source as it is, or one that undoes another.
bool whole_view(Rewriter& r, const Call& call) {
  if (!call.op->traits().alias) return false;
  const ValueId out = call.out[0], source = call.in.back();  // of After, the value just written
  if (same_view(r, out, source)) return r.replace(out, source);
  const Call* before = r.maker(source);
  return before != nullptr && before->op->traits().alias && same_view(r, out, before->in[0]) &&
         r.replace(out, before->in[0]);
}

bool view_of_view(Rewriter& r, const Call& call) {
  const Call* inner = r.made_by<ViewAs>(call.in[0]);
  const auto* view = as<ViewAs>(*call.op);
  return inner != nullptr && view_strides(r.meta(inner->in[0]), view->shape) &&
         r.replace(call, *view, inner->in);
}

bool permute_of_permute(Rewriter& r, const Call& call) {
  const Call* inner = r.made_by<Permute>(call.in[0]);
  if (inner == nullptr) return false;
  Permute both = *as<Permute>(*call.op);
  for (int64_t& d : both.dims) d = as<Permute>(*inner->op)->dims[static_cast<size_t>(d)];
  return r.replace(call, both, inner->in);
}

bool expand_of_expand(Rewriter& r, const Call& call) {
  const Call* inner = r.made_by<Expand>(call.in[0]);
  return inner != nullptr && r.replace(call, *as<Expand>(*call.op), inner->in);
}

bool slice_of_slice(Rewriter& r, const Call& call) {
  const Call* inner = r.made_by<StridedSlice>(call.in[0]);
  if (inner == nullptr) return false;
  const StridedSlice &a = *as<StridedSlice>(*inner->op), &b = *as<StridedSlice>(*call.op);
  const StridedSlice both{a.dim, a.start + b.start * a.step, b.size, a.step * b.step};
  return a.dim == b.dim && r.replace(call, both, inner->in);
}

// ---- copies
// --------------------------------------------------------------------------------------------

/// A copy that nobody can tell from its dense source.
bool needless_copy(Rewriter& r, const Call& call) { return r.replace(call.out[0], call.in[0]); }

bool copy_of_copy(Rewriter& r, const Call& call) {
  const Call* inner = r.made_by<Copy>(call.in[0]);
  return inner != nullptr && r.meta(inner->in[0]).dtype == r.meta(call.in[0]).dtype &&
         r.replace(call, *as<Copy>(*call.op), inner->in);
}

bool cat_of_one(Rewriter& r, const Call& call) {
  return call.in.size() == 1 && (r.replace(call.out[0], call.in[0]) ||
                                 r.replace(call, Copy{r.meta(call.in[0]).dtype}, call.in));
}

// ---- arithmetic
// ----------------------------------------------------------------------------------------

/// Whether all elements of a value are 0, and not -0, or all are 1.
bool is_constant(const Rewriter& r, ValueId id, int number) {
  const Call* made = r.maker(id);
  while (made != nullptr && made->op->traits().alias && made->in.size() == 1) {
    made = r.maker(made->in[0]);
  }
  const auto* full = made == nullptr ? nullptr : as<Full>(*made->op);
  if (full == nullptr) return false;
  if (full->dtype == bool_) return full->value.to<bool>() == (number == 1);
  if (!is_floating_point(full->dtype)) return full->value.to<int64_t>() == number;
  return std::bit_cast<uint64_t>(full->value.to<double>()) == std::bit_cast<uint64_t>(1.0 * number);
}

bool times_one(Rewriter& r, const Call& call) {
  return (is_constant(r, call.in[1], 1) && r.replace(call.out[0], call.in[0])) ||
         (is_constant(r, call.in[0], 1) && r.replace(call.out[0], call.in[1]));
}

bool by_one(Rewriter& r, const Call& call) {
  return is_constant(r, call.in[1], 1) && r.replace(call.out[0], call.in[0]);
}

/// x - 0; but x + 0 is 0 for x = -0, and so is x - -0.
bool minus_zero(Rewriter& r, const Call& call) {
  return is_constant(r, call.in[1], 0) && r.replace(call.out[0], call.in[0]);
}

bool neg_of_neg(Rewriter& r, const Call& call) {
  const Call* inner = r.made_by<Neg>(call.in[0]);
  return inner != nullptr && r.replace(call.out[0], inner->in[0]);
}

bool relu_of_relu(Rewriter& r, const Call& call) {
  return r.made_by<Relu>(call.in[0]) != nullptr && r.replace(call.out[0], call.in[0]);
}

bool constant_condition(Rewriter& r, const Call& call) {
  return (is_constant(r, call.in[0], 1) && r.replace(call.out[0], call.in[1])) ||
         (is_constant(r, call.in[0], 0) && r.replace(call.out[0], call.in[2]));
}

// ---- constants
// -----------------------------------------------------------------------------------------

/// One element, expanded, for a tensor of equal ones.
bool small_full(Rewriter& r, const Call& call) {
  Full full = *as<Full>(*call.op);
  if (full.shape.empty() || r.overwritten(call.out[0]) || !r.any_layout(call.out[0])) return false;
  const Shape shape = std::exchange(full.shape, {});
  return r.replace(call, Expand{shape}, {r.add(full, {})});
}

bool expands_to(const Shape& from, const Shape& to) {
  if (from.size() > to.size()) return false;
  const size_t lead = to.size() - from.size();
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] != 1 && from[i] != to[lead + i]) return false;
  }
  return true;
}

/// The values that the operands of a call repeat along all dimensions where `small` is 1; none when
/// one repeats something else.
std::optional<ValueIds> repeated(const Rewriter& r, const Call& call, const Shape& small) {
  ValueIds sources;
  for (ValueId id : call.in) {
    const Call* expand = r.made_by<Expand>(id);
    if (expand == nullptr || !r.readable(expand->in[0])) return {};
    if (!expands_to(r.meta(expand->in[0]).shape, small)) return {};
    sources.push_back(expand->in[0]);
  }
  return sources;
}

/// f(expand(a), expand(b)) is expand(f(a, b)) along the dimensions in which both are expanded.
bool small_operands(Rewriter& r, const Call& call) {
  const ValueId out = call.out[0];
  const Shape full = r.meta(out).shape;
  if (!is_elementwise(*call.op) || r.overwritten(out) || !r.any_layout(out)) return false;
  Shape small = full;
  for (size_t d = 0; d < full.size(); ++d) {
    const auto repeats = [&](ValueId id) { return r.meta(id).strides[d] == 0; };
    if (std::ranges::all_of(call.in, repeats)) small[d] = 1;
  }
  if (small == full || full.numel() == 0) return false;
  std::optional<ValueIds> sources = repeated(r, call, small);
  if (!sources) return false;
  const auto dims = [&](ValueId id) { return r.meta(id).dim(); };
  const int most = dims(std::ranges::max(*sources, {}, dims));
  while (small.dim() > most) small.erase(0);
  for (ValueId& id : *sources) {
    if (r.meta(id).shape != small) id = r.add(Expand{small}, {id});
  }
  return r.replace(call, Expand{full}, {r.add(*call.op, *sources)});
}

constexpr std::array kRules{
    Rule{"whole_view", "", whole_view},
    Rule{"view_of_view", ViewAs::name, view_of_view},
    Rule{"permute_of_permute", Permute::name, permute_of_permute},
    Rule{"expand_of_expand", Expand::name, expand_of_expand},
    Rule{"slice_of_slice", StridedSlice::name, slice_of_slice},
    Rule{"needless_copy", Copy::name, needless_copy},
    Rule{"copy_of_copy", Copy::name, copy_of_copy},
    Rule{"cat_of_one", Cat::name, cat_of_one},
    Rule{"times_one", Mul::name, times_one},
    Rule{"by_one", Div::name, by_one},
    Rule{"minus_zero", Sub::name, minus_zero},
    Rule{"neg_of_neg", Neg::name, neg_of_neg},
    Rule{"relu_of_relu", Relu::name, relu_of_relu},
    Rule{"constant_condition", Where::name, constant_condition},
    Rule{"small_full", Full::name, small_full},
    Rule{"small_operands", "", small_operands},
};

}  // namespace

Graph algebra(Graph graph) { return rewrite(std::move(graph), kRules); }

}  // namespace reprise::passes
