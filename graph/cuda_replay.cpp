#include "cuda_replay.h"

#include <algorithm>

#include "../core/device_context.h"
#include "../core/ops/host_call.h"
#include "../core/random.h"
#include "arena.h"

namespace reprise::detail {
namespace {

constexpr size_t kPlaceAlignment = 256;
/// Copying more than this for each call takes longer than launching the calls one by one.
constexpr size_t kCopiedPerCall = 4 << 20;

bool is_gpu(Device device) { return device.kind == Device::Kind::cuda; }

/// Bytes from the first to the last element.
size_t bytes_spanned(const Meta& meta) {
  if (meta.numel() == 0) return 0;
  int64_t last = 0;
  for (size_t d = 0; d < meta.shape.size(); ++d) last += (meta.shape[d] - 1) * meta.strides[d];
  return static_cast<size_t>(last + 1) * size_of(meta.dtype);
}

}  // namespace

std::optional<Device> gpu_of(const Graph& graph) {
  for (const Value& value : graph.values) {
    if (is_gpu(value.meta.device)) return value.meta.device;
  }
  return {};
}

std::string obstacle_to_capture(const Graph& graph) {
  for (const Call& call : graph.code) {
    if (const auto* host = as<HostCall>(*call.op)) {
      return text("the C++ function ", host->label, " is called in each run");
    }
  }
  const Device gpu = *gpu_of(graph);
  const auto elsewhere = [&](ValueId id) { return graph.meta(id).device != gpu; };
  const auto found = [&](std::span<const ValueId> ids) -> std::string {
    const auto at = std::ranges::find_if(ids, elsewhere);
    if (at == ids.end()) return {};
    return text("values lie on ", gpu, " and on ", graph.meta(*at).device);
  };
  std::string why = found(graph.inputs);
  if (why.empty()) why = found(graph.outputs);
  for (size_t i = static_cast<size_t>(graph.prologue); why.empty() && i < graph.code.size(); ++i) {
    why = found(graph.code[i].in);
    if (why.empty()) why = found(graph.code[i].out);
  }
  return why;
}

CudaReplay::CudaReplay(Device device) : device_(device), counter_meta_({2}, int64, device) {}

CudaReplay::~CudaReplay() {
  if (graph_ == nullptr || !cuda::is_available()) return;
  device_context(device_, "program").runtime().destroy_graph(device_.index, graph_);
}

// ---- random numbers

View CudaReplay::take_counter(int64_t count) {
  if (!counter_) counter_ = lasting_memory(counter_meta_.nbytes(), device_);
  blocks_ += random_blocks_for(static_cast<uint64_t>(count));
  return {counter_->data(), &counter_meta_};
}

void CudaReplay::draw_numbers() {
  if (!counter_) return;
  Generator& generator = default_generator();
  const std::array now{generator.seed(), generator.reserve(2 * blocks_)};
  if (counter_stands_ != now) {
    DeviceRuntime& runtime = device_context(device_, "program").runtime();
    runtime.copy({counter_->data(), device_}, {const_cast<uint64_t*>(now.data()), Device::cpu()},
                 sizeof now, current_stream(device_.index));
  }
  counter_stands_ = {now[0], now[1] + blocks_};
}

// ---- the graph

void CudaReplay::capture(std::span<Port> inputs, std::span<Port> outputs, size_t calls,
                         const std::function<void()>& run) {
  const std::thread::id thread = std::this_thread::get_id();
  const bool ran_here = std::exchange(ran_on_, thread) == thread;
  if (was_tried_ || !ran_here) return;
  was_tried_ = true;
  std::vector<Port*> ports;
  for (Port& port : inputs) ports.push_back(&port);
  for (Port& port : outputs) ports.push_back(&port);
  try {
    take_places(ports, calls);
    record(ports, inputs.size(), run);
    for (Port* port : ports) port->patches.clear();
  } catch (const std::exception& error) {
    why_loop_ = error.what();
    memory_.reset();
  }
  for (size_t i = 0; i < places_.size(); ++i) ports[i]->bind(places_[i].bound);
}

void CudaReplay::take_places(std::span<Port* const> ports, size_t calls) {
  size_t total = 0;
  for (const Port* port : ports) {
    const size_t bytes = bytes_spanned(port->meta);
    check(!port->written || bytes == port->meta.nbytes(), ErrorKind::Value,
          "an input that it writes does not lie dense");
    places_.push_back({nullptr, bytes, port->bound});
    total += (bytes + kPlaceAlignment - 1) / kPlaceAlignment * kPlaceAlignment;
  }
  check(total <= kCopiedPerCall * calls, ErrorKind::Value, "its inputs and outputs of ", total,
        " bytes would be copied in each run");
  memory_ = lasting_memory(total, device_);
  std::byte* next = memory_->data();
  for (size_t i = 0; i < ports.size(); ++i) {
    places_[i].data = next;
    ports[i]->bind(next);
    next += (places_[i].bytes + kPlaceAlignment - 1) / kPlaceAlignment * kPlaceAlignment;
  }
}

void CudaReplay::record(std::span<Port* const> ports, size_t inputs,
                        const std::function<void()>& run) {
  DeviceRuntime& runtime = device_context(device_, "program").runtime();
  const cuda::Stream stream(device_.index);
  const cuda::StreamGuard guard(stream);
  const auto captured_copy = [&](void* to, void* from, size_t bytes) -> void* {
    if (bytes == 0) return nullptr;
    runtime.copy({to, device_}, {from, device_}, bytes, stream.handle());
    return runtime.captured_copy(device_.index, stream.handle());
  };
  runtime.begin_capture(device_.index, stream.handle());
  std::string failure;
  try {
    for (size_t i = 0; i < inputs; ++i) {
      Place& place = places_[i];
      place.copy_in = captured_copy(place.data, place.bound, place.bytes);
    }
    run();
    for (size_t i = 0; i < ports.size(); ++i) {
      Place& place = places_[i];
      const bool is_written = i >= inputs || ports[i]->written;
      if (is_written) place.copy_out = captured_copy(place.bound, place.data, place.bytes);
    }
  } catch (const std::exception& error) {
    failure = error.what();
  }
  const CapturedGraph made = runtime.end_capture(device_.index, stream.handle());
  graph_ = made.graph;
  kernels_ = made.kernels;
  if (failure.empty() && graph_ != nullptr) return;
  if (graph_ != nullptr) runtime.destroy_graph(device_.index, std::exchange(graph_, nullptr));
  fail(ErrorKind::Device, failure.empty() ? made.why_not : failure);
}

void CudaReplay::launch(std::span<const Port> inputs, std::span<const Port> outputs) {
  DeviceRuntime& runtime = device_context(device_, "program").runtime();
  Place* place = places_.data();
  for (const std::span<const Port> ports : {inputs, outputs}) {
    for (const Port& port : ports) set_copies(runtime, *place++, port.bound);
  }
  runtime.launch_graph(device_.index, graph_, current_stream(device_.index));
}

void CudaReplay::set_copies(DeviceRuntime& runtime, Place& place, void* data) {
  if (data == place.bound) return;
  const auto set = [&](void* copy, void* to, const void* from) {
    if (copy != nullptr) runtime.set_copy(device_.index, graph_, copy, to, from, place.bytes);
  };
  set(place.copy_in, place.data, data);
  set(place.copy_out, data, place.data);
  place.bound = data;
}

std::string CudaReplay::text(size_t calls) const {
  if (graph_ != nullptr) return reprise::text("one CUDA graph of ", kernels_, " kernels");
  if (!was_tried_) return reprise::text("a loop of ", calls, " calls until its second run");
  return reprise::text("a loop of ", calls, " calls, since ", why_loop_);
}

}  // namespace reprise::detail
