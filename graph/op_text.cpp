#include "op_text.h"

#include <algorithm>
#include <array>

#include "../core/model.h"
#include "../core/ops/cat.h"
#include "../core/ops/conv.h"
#include "../core/ops/create.h"
#include "../core/ops/elementwise.h"
#include "../core/ops/foreach.h"
#include "../core/ops/fused.h"
#include "../core/ops/fused_conv.h"
#include "../core/ops/fused_linear.h"
#include "../core/ops/fused_loss.h"
#include "../core/ops/fused_norm.h"
#include "../core/ops/fused_pool.h"
#include "../core/ops/index.h"
#include "../core/ops/matmul.h"
#include "../core/ops/memory_format.h"
#include "../core/ops/norm.h"
#include "../core/ops/pool.h"
#include "../core/ops/random.h"
#include "../core/ops/reduce.h"
#include "../core/ops/scaling.h"
#include "../core/ops/softmax.h"
#include "../core/ops/transfer.h"
#include "../core/ops/update.h"
#include "../core/ops/view.h"
#include "graph.h"
#include "read_value.h"

namespace reprise::detail {
namespace {

template <class... T>
struct Ops {};

#define REPRISE_ITEM(T) T,
using AllOps =
    Ops<REPRISE_ELEMENTWISE_OPS(REPRISE_ITEM) Copy, Cat, Conv2d, Conv2dInputGrad, Conv2dWeightGrad,
        Full, Arange, Gather, GatherGrad, IndexSelect, IndexSelectGrad, MatMul, Linear,
        LinearWeightGrad, BatchNorm, BatchNormGrad, MaxPool2d, MaxPool2dGrad, MaxPool2dGather,
        AvgPool2d, AvgPool2dGrad, RandomBlocks, NextBlocks, Random, Dropout, Sum, MaxDim, Softmax,
        LogSoftmax, SoftmaxGrad, SgdStep, AdamStep, Unscale, UpdateScale, ForeachCopy, ForeachAdd,
        ForeachFill, ForeachClamp, TotalNorm, ClipWithNorm, ViewAs, Permute, Expand, StridedSlice,
        SliceGrad, Fused, FusedConv2d, FusedConv2dInputGrad, PackConvWeight, FusedMaxPool2d,
        FusedMaxPool2dGrad, FusedLinear, FusedLinearInputGrad, FusedBatchNorm, FusedBatchNormGrad,
        LogSoftmaxGather, LogSoftmaxGatherGrad, ToDevice, ToMemoryFormat, After>;
#undef REPRISE_ITEM

struct Entry {
  std::string_view name;
  bool elementwise;
  OpReader read;
};
const Entry& entry_of(std::string_view name, TextReader& in);

/// "copy {dtype=float32}(2)". Only elementwise ops are steps, so that steps hold no steps.
void read_value(TextReader& in, FusedStep& step) {
  const Entry& entry = entry_of(in.word("the name of an elementwise op"), in);
  if (!entry.elementwise) in.fail_last(text(entry.name, " is not elementwise"));
  step.op = entry.read(in);
  read_list(in, "(", ")", [&] { step.in.push_back(in.integer(0, INT32_MAX)); });
}

template <class T>
void read_value(TextReader& in, std::vector<T>& list) {
  read_list(in, "[", "]", [&] { read_value(in, list.emplace_back()); });
}

/// Ops may be read member by member, since what tie() names are members.
template <class T>
void read_attribute(TextReader& in, const Attr<T>& attribute) {
  if (!in.accept_word(attribute.name)) in.fail_expected(text("the attribute ", attribute.name));
  in.expect("=");
  read_value(in, const_cast<T&>(attribute.value));
}

template <Op T>
OpRef read_attributes(TextReader& in) {
  T op{};
  if constexpr (requires { op.tie(); }) {
    in.expect("{");
    size_t i = 0;
    const auto read = [&](const auto& attribute) {
      if (i++ > 0) in.expect(",");
      read_attribute(in, attribute);
    };
    std::apply([&](const auto&... attributes) { (read(attributes), ...); }, op.tie());
    in.expect("}");
  }
  return make_ref<const Model<T>>(op);
}

template <class... T>
constexpr auto sorted_entries(Ops<T...>) {
  std::array entries{
      Entry{T::name, traits_of<T>.elementwise != ElementwiseIndex::none, read_attributes<T>}...};
  std::ranges::sort(entries, {}, &Entry::name);
  return entries;
}

constexpr auto kEntries = sorted_entries(AllOps());
constexpr auto kNames = [] {
  std::array<std::string_view, kEntries.size()> names;
  std::ranges::transform(kEntries, names.begin(), &Entry::name);
  return names;
}();

const Entry& entry_of(std::string_view name, TextReader& in) {
  const auto at = std::ranges::lower_bound(kEntries, name, {}, &Entry::name);
  if (at == kEntries.end() || at->name != name) {
    in.fail_last(text(name, " is not the name of an op that has a text"));
  }
  return *at;
}

}  // namespace

std::span<const std::string_view> op_names() { return kNames; }

OpReader op_reader(std::string_view name, TextReader& in) { return entry_of(name, in).read; }

}  // namespace reprise::detail

namespace reprise {

OpRef parse_op(std::string_view text) {
  detail::TextReader in("parse_op", text);
  OpRef op = detail::op_reader(in.word("the name of an op"), in)(in);
  if (!in.at_end()) in.fail_expected("the end of the text");
  return op;
}

}  // namespace reprise
