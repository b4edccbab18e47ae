#include "graph.h"

namespace reprise {
namespace {

int64_t elements_spanned(const Meta& meta) {
  int64_t last = 0;
  for (size_t d = 0; d < meta.shape.size(); ++d) {
    if (meta.shape[d] == 0) return 0;
    last += (meta.shape[d] - 1) * meta.strides[d];
  }
  return last + 1;
}

bool written(const Call& call, size_t i) { return call.op->traits().writes_input(i); }

size_t count_written(const Call& call) {
  size_t count = 0;
  for (size_t i = 0; i < call.in.size(); ++i) count += written(call, i);
  return count;
}

}  // namespace

ValueId Graph::add_root(const Meta& meta) {
  const auto id = static_cast<ValueId>(values.size());
  values.push_back({meta, id, 0});
  return id;
}

ValueId Graph::add_view(ValueId in_memory_of, const Meta& meta, int64_t offset) {
  const ValueId root = value(in_memory_of).root;
  values.push_back({meta, root, offset});
  return static_cast<ValueId>(values.size() - 1);
}

Call Graph::make_call(const OpBase& op, ValueIds in, ValueId into, std::string where) {
  Metas metas;
  for (ValueId id : in) metas.push_back(meta(id));
  Metas returned = op.infer(metas);
  for (size_t i = 1; i < metas.size(); ++i) {
    if (metas[i].device == metas[0].device) continue;
    fail(ErrorKind::Device, op.name(), ": expected all inputs on ", metas[0].device, ", got input ",
         i, " on ", metas[i].device);
  }
  Call call{op.keep(), std::move(in), {}, into, std::move(where)};
  if (into != kNoValue) {
    const Value target = value(into);
    check(returned.size() == 1 && returned[0].shape == target.meta.shape &&
              returned[0].dtype == target.meta.dtype,
          ErrorKind::Shape, op.name(), "_: expected a result of ", target.meta.dtype,
          target.meta.shape, " for the in-place form");
    call.out.push_back(add_view(into, target.meta, target.offset));
  } else if (op.traits().alias) {
    const Value source = value(call.in[0]);
    Meta seen = returned[0];
    seen.device = source.meta.device;
    const int64_t offset = source.offset + op.offset(source.meta);
    call.out.push_back(add_view(call.in[0], seen, offset));
  } else {
    for (Meta& made : returned) {
      if (!metas.empty() && !op.traits().crosses) made.device = metas[0].device;
      call.out.push_back(add_root(made));
    }
  }
  for (size_t i = 0; i < call.in.size(); ++i) {
    if (!written(call, i)) continue;
    const Value before = value(call.in[i]);
    call.out.push_back(add_view(call.in[i], before.meta, before.offset));
  }
  return call;
}

const Call& Graph::add_call(const OpBase& op, ValueIds in, ValueId into, std::string where) {
  code.push_back(make_call(op, std::move(in), into, std::move(where)));
  return code.back();
}

size_t returned_outputs(const Call& call) { return call.out.size() - count_written(call); }

ValueId memory_of_output(const Call& call, size_t k) {
  const size_t returned = returned_outputs(call);
  if (k < returned) return call.op->traits().alias ? call.in[0] : call.into;
  size_t written_before = k - returned;
  for (size_t i = 0; i < call.in.size(); ++i) {
    if (written(call, i) && written_before-- == 0) return call.in[i];
  }
  return kNoValue;
}

Device device_of(const Graph& graph, const Call& call) {
  const Device device = graph.meta(call.in.empty() ? call.out.front() : call.in.front()).device;
  const bool leaves_cpu = call.op->traits().crosses && device == Device::cpu();
  return leaves_cpu ? graph.meta(call.out.front()).device : device;
}

bool covers_memory(const Graph& graph, ValueId id) {
  const Value& v = graph.value(id);
  const Meta& whole = graph.meta(v.root);
  return v.offset == graph.value(v.root).offset && v.meta.numel() == whole.numel() &&
         elements_spanned(v.meta) == elements_spanned(whole);
}

Metas After::infer(std::span<const Meta> in) const {
  check(in.size() == 2, ErrorKind::Value, name, ": expected 2 operands, got ", in.size());
  return {in[0]};
}

Uses::Uses(const Graph& graph) : first_(graph.values.size() + 1, 0) {
  const auto for_each = [&](auto f) {
    for (size_t i = 0; i < graph.code.size(); ++i) {
      const Call& call = graph.code[i];
      for (ValueId id : call.in) f(id, i);
      if (call.into != kNoValue) f(call.into, i);
    }
    for (ValueId id : graph.outputs) f(id, graph.code.size());
    for (const Update& update : graph.updates) f(update.last, graph.code.size());
  };
  for_each([&](ValueId id, size_t) { ++first_[static_cast<size_t>(id) + 1]; });
  for (size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
  calls_.resize(static_cast<size_t>(first_.back()));
  std::vector<int32_t> next(first_.begin(), first_.end() - 1);
  for_each([&](ValueId id, size_t call) {
    calls_[static_cast<size_t>(next[static_cast<size_t>(id)]++)] = static_cast<int32_t>(call);
  });
}

std::span<const int32_t> Uses::of(ValueId id) const {
  const auto at = static_cast<size_t>(id);
  const auto first = static_cast<size_t>(first_[at]), last = static_cast<size_t>(first_[at + 1]);
  return std::span(calls_).subspan(first, last - first);
}

std::vector<int32_t> definitions(const Graph& graph) {
  std::vector<int32_t> out(graph.values.size(), -1);
  for (size_t i = 0; i < graph.code.size(); ++i) {
    for (ValueId id : graph.code[i].out) out[static_cast<size_t>(id)] = static_cast<int32_t>(i);
  }
  return out;
}

}  // namespace reprise
