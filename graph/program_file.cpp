// Programs as files: safetensors with the memory of every capture as a flat tensor under its name,
// and the text of the graph in the metadata.

#include "../core/dispatch.h"
#include "../core/ops/host_call.h"
#include "../io/safetensors.h"
#include "program_state.h"
#include "text.h"
#include "verify.h"

namespace reprise {
namespace {

constexpr const char* kGraphKey = "reprise.graph";

/// All elements of the memory of `t`.
Tensor flat(const Tensor& t) {
  const Ref<Storage>& storage = t.impl().storage;
  const auto count = static_cast<int64_t>(storage->nbytes() / size_of(t.dtype()));
  return Tensor(make_ref<TensorImpl>(Meta({count}, t.dtype(), t.device()), storage));
}

/// The view of `memory`, one of its captures, checked to stay inside.
Tensor view_of(const Tensor& memory, const Value& value, const std::string& name) {
  const Meta& meta = value.meta;
  check(memory.dtype() == meta.dtype && memory.dim() == 1, ErrorKind::Format, "capture ", name,
        ": expected a flat tensor of ", meta.dtype, ", got ", memory.dtype(), memory.shape());
  int64_t last = value.offset, step = 0;
  bool fits = value.offset >= 0;
  for (size_t d = 0; d < meta.shape.size(); ++d) {
    fits = fits && !__builtin_mul_overflow(meta.shape[d] - 1, meta.strides[d], &step) &&
           !__builtin_add_overflow(last, step, &last);
  }
  check(meta.numel() == 0 || (fits && last < memory.numel()), ErrorKind::Format, "capture ", name,
        ": its elements reach beyond the ", memory.numel(), " that there are");
  return Tensor(make_ref<TensorImpl>(meta, memory.impl().storage, value.offset));
}

Graph read_graph(const SafeTensors& file) {
  const auto text = file.metadata.find(kGraphKey);
  check(text != file.metadata.end(), ErrorKind::Format, "it holds no graph");
  Graph graph = parse(text->second);
  verify(graph);
  std::vector<Tensor> memory_of(graph.values.size());
  size_t memories = 0;
  for (Capture& capture : graph.captures) {
    const Value& value = graph.value(capture.value);
    Tensor& memory = memory_of[static_cast<size_t>(value.root)];
    if (!memory.defined()) {
      memory = file.at(capture.name).to(value.meta.device);
      ++memories;
    }
    capture.tensor = view_of(memory, value, capture.name);
  }
  check(memories == file.tensors.size(), ErrorKind::Format, "expected ", memories, " tensors, got ",
        file.tensors.size());
  return graph;
}

}  // namespace

void Program::save(const std::string& path) const {
  for (const Call& call : graph().code) {
    const auto* host = as<HostCall>(*call.op);
    check(host == nullptr, ErrorKind::Graph, "program: cannot save the host call \"",
          host == nullptr ? "" : host->label, "\", a C++ function");
  }
  NamedTensors memories;
  for (const Capture& capture : graph().captures) {
    if (graph().value(capture.value).root == capture.value) {
      memories.emplace_back(capture.name, flat(capture.tensor));
    }
  }
  save_safetensors(path, memories, {{kGraphKey, to_string(graph())}});
}

Program Program::load(const std::string& path) {
  const SafeTensors file = load_safetensors(path);
  try {
    return Program(read_graph(file), {.passes = "none"});
  } catch (const Error& error) {
    const bool of_machine =
        error.kind() == ErrorKind::OutOfMemory || error.kind() == ErrorKind::Device;
    fail(of_machine ? error.kind() : ErrorKind::Format, path, ": ", error.what());
  }
}

}  // namespace reprise
