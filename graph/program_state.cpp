// Binding: every operand of every call becomes an address, or a patch of a port.

#include "program_state.h"

#include <algorithm>

#include "../core/ops/elementwise.h"
#include "../core/ops/random.h"

namespace reprise::detail {

size_t MetaHash::operator()(const Meta* meta) const {
  auto hash = static_cast<size_t>(meta->dtype);
  for (int64_t n : meta->shape) hash = hash * 31 + static_cast<size_t>(n);
  for (int64_t n : meta->strides) hash = hash * 37 + static_cast<size_t>(n);
  return hash;
}

ProgramState::ProgramState(std::shared_ptr<const Compiled> shared, std::shared_ptr<Arena> memory)
    : compiled(std::move(shared)), arena(std::move(memory)) {
  const std::optional<Device> gpu = gpu_of(compiled->graph);
  if (gpu) replay = std::make_unique<CudaReplay>(*gpu);
  if (arena == nullptr) arena = std::make_shared<Arena>(compiled->plan.parts);
  build();
  if (gpu) replay->bind(steps, inputs, outputs);
}

std::string ProgramState::how_it_runs() const {
  return replay != nullptr ? replay->text() : text("a loop of ", steps.size(), " calls");
}

void ProgramState::build() {
  const Graph& graph = compiled->graph;
  const Plan& plan = compiled->plan;
  for (ValueId id : graph.inputs) inputs.push_back({graph.meta(id), {}});
  for (ValueId id : graph.outputs) outputs.push_back({graph.meta(id).dense(), {}});
  size_t operands = 0;
  for (const Call& call : graph.code) operands += call.in.size() + call.out.size();
  views.reserve(operands + graph.code.size() + 2 * plan.copied.size());  // steps point into it
  for (size_t i = 0; i < graph.code.size(); ++i) {
    const Call& call = graph.code[i];
    if (call.op->traits().alias && call.into == kNoValue) continue;
    const std::span<const ValueId> out = call.out;
    const auto* random = as<RandomBlocks>(*call.op);
    if (random != nullptr && replay != nullptr && random->device == replay->device()) {
      add_random(*random, out[0], static_cast<int32_t>(i));
      continue;
    }
    add_step(call.op, call.in, out.first(returned_outputs(call)), static_cast<int32_t>(i));
  }
  for (int32_t k : plan.copied) add_copy(static_cast<size_t>(k));

  for (const BoundCall& step : prologue) {
    for (ValueId id : graph.code[static_cast<size_t>(step.call)].in) {
      const Placement& place = plan.of(graph.value(id).root);
      if (place.home != Home::capture) continue;
      const Tensor& t = graph.captures[static_cast<size_t>(place.index)].tensor;
      watched.emplace_back(t.impl().storage, 0);
    }
  }
  for (const Update& update : graph.updates) {
    const Placement& place = plan.of(update.root);
    const auto at = static_cast<size_t>(place.index);
    if (place.home == Home::input) inputs[at].written = true;
    if (place.home == Home::capture) updated.push_back(graph.captures[at].tensor.impl().storage);
  }
  for (size_t i = 0; i < graph.captures.size(); ++i) {
    if (graph.value(graph.captures[i].value).root != graph.captures[i].value) continue;
    const Storage& storage = *graph.captures[i].tensor.impl().storage;
    const ValueId root = graph.captures[i].value;
    captured.push_back(
        {{storage.data(), storage.data() + storage.nbytes()},
         root,
         std::ranges::find(graph.updates, root, &Update::root) != graph.updates.end()});
  }
  std::ranges::sort(captured, {}, [](const CapturedMemory& c) { return c.range.begin; });
  writes = !graph.updates.empty();
  places.reserve(inputs.size() + outputs.size());
}

std::span<View> ProgramState::take_views(size_t count) {
  const size_t first = views.size();
  views.resize(first + count);
  return std::span(views).subspan(first, count);
}

/// Where value `id` lies; a port patches `place` at each run.
View ProgramState::resolve(ValueId id, View& place) {
  const Graph& graph = compiled->graph;
  const Value& value = graph.value(id);
  const Placement& home = compiled->plan.of(value.root);
  const auto at = static_cast<size_t>(home.index);
  const int64_t bytes = value.offset * static_cast<int64_t>(size_of(value.meta.dtype));
  const Meta* meta = *metas.insert(&value.meta).first;
  switch (home.home) {
    case Home::arena: return {arena->at(compiled->plan.slot(home.index).offset + bytes), meta};
    case Home::capture: return {graph.captures[at].tensor.impl().storage->data() + bytes, meta};
    case Home::input: inputs[at].patches.push_back({&place, bytes}); break;
    case Home::output: outputs[at].patches.push_back({&place, bytes}); break;
    case Home::none: ensure(false, "program: value %", id, " has no place");
  }
  return {nullptr, meta};
}

void ProgramState::add_step(const OpRef& op, std::span<const ValueId> in,
                            std::span<const ValueId> out, int32_t call) {
  const std::span<View> all = take_views(in.size() + out.size());
  for (size_t i = 0; i < in.size(); ++i) all[i] = resolve(in[i], all[i]);
  for (size_t i = 0; i < out.size(); ++i) all[in.size() + i] = resolve(out[i], all[in.size() + i]);
  const Plan& plan = compiled->plan;
  const int32_t scratch = plan.workspace[static_cast<size_t>(call)];
  void* workspace = scratch < 0 ? nullptr : arena->at(plan.slot(scratch).offset);
  auto& list = call < compiled->graph.prologue ? prologue : steps;
  const Device device = device_of(compiled->graph, compiled->graph.code[static_cast<size_t>(call)]);
  list.push_back({op, {all.first(in.size()), all.subspan(in.size()), workspace, {}}, call, device});
}

void ProgramState::add_random(const RandomBlocks& op, ValueId out, int32_t call) {
  const std::span<View> all = take_views(2);
  all[0] = replay->counter();
  all[1] = resolve(out, all[1]);
  const Model<NextBlocks> next({op.count});
  steps.push_back({next.keep(), {all.first(1), all.subspan(1), nullptr, {}}, call, op.device});
}

void ProgramState::add_copy(size_t output) {
  const std::span<View> all = take_views(2);
  all[0] = resolve(compiled->graph.outputs[output], all[0]);
  all[1].meta = &outputs[output].meta;
  outputs[output].patches.push_back({&all[1], 0});
  const Model<Copy> copy({outputs[output].meta.dtype});
  const auto end = static_cast<int32_t>(compiled->graph.code.size());
  steps.push_back(
      {copy.keep(), {all.first(1), all.subspan(1), nullptr, {}}, end, outputs[output].meta.device});
}

}  // namespace reprise::detail
