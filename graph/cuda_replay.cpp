#include "cuda_replay.h"

#include <algorithm>

#include "../core/device_context.h"
#include "../core/model.h"
#include "../core/ops/create.h"
#include "../core/ops/host_call.h"
#include "../core/ops/random.h"
#include "../core/random.h"
#include "arena.h"

namespace reprise::detail {
namespace {

constexpr size_t kPlaceAlignment = 256;
/// Copying more than this for each call takes longer than launching the calls one by one.
constexpr size_t kCopiedPerCall = 4 << 20;
constexpr int kLoops = 2;

/// Bytes from the first to the last element.
size_t bytes_spanned(const Meta& meta) {
  if (meta.numel() == 0) return 0;
  int64_t last = 0;
  for (size_t d = 0; d < meta.shape.size(); ++d) last += (meta.shape[d] - 1) * meta.strides[d];
  return static_cast<size_t>(last + 1) * size_of(meta.dtype);
}

size_t bytes_of_place(const Port& port) {
  return (bytes_spanned(port.meta) + kPlaceAlignment - 1) / kPlaceAlignment * kPlaceAlignment;
}

bool can_be_captured(const BoundCall& call, Device device) {
  return call.device == device && !call.op->traits().crosses && as<HostCall>(*call.op) == nullptr;
}

uint64_t blocks_of(const BoundCall& call) {
  const auto* random = as<NextBlocks>(*call.op);
  return random == nullptr ? 0 : random_blocks_for(static_cast<uint64_t>(random->count));
}

}  // namespace

std::optional<Device> gpu_of(const Graph& graph) {
  for (const Value& value : graph.values) {
    if (value.meta.device.kind == Device::Kind::cuda) return value.meta.device;
  }
  return {};
}

CudaReplay::CudaReplay(Device device)
    : device_(device), counter_meta_({2}, int64, device), settings_(kernel_settings()) {}

CudaReplay::~CudaReplay() {
  if (cuda::is_available()) drop_graphs();
}

DeviceRuntime& CudaReplay::runtime() const { return device_context(device_, "program").runtime(); }

// ---- segments and places

void CudaReplay::bind(std::span<const BoundCall> calls, std::span<Port> inputs,
                      std::span<Port> outputs) {
  calls_ = calls.size();
  divide(calls);
  if (std::ranges::none_of(segments_, &Segment::is_captured)) {
    why_loop_ = reprise::text("none of them is a kernel of ", device_);
  } else {
    take_places(inputs, outputs);
    begin_and_end_with_graphs();
  }
}

void CudaReplay::divide(std::span<const BoundCall> calls) {
  for (size_t i = 0; i < calls.size(); ++i) {
    const bool is_captured = can_be_captured(calls[i], device_);
    if (segments_.empty() || segments_.back().is_captured != is_captured) {
      segments_.push_back({i, i, is_captured, 0});
    }
    segments_.back().end = i + 1;
    segments_.back().blocks += blocks_of(calls[i]);
  }
}

void CudaReplay::take_places(std::span<Port> inputs, std::span<Port> outputs) {
  std::vector<Port*> ports;
  for (Port& port : inputs) ports.push_back(&port);
  for (Port& port : outputs) ports.push_back(&port);
  std::erase_if(ports, [&](const Port* port) { return port->meta.device != device_; });
  size_t total = 0, captured = 0;
  for (const Port* port : ports) {
    total += bytes_of_place(*port);
    if (!port->written || bytes_spanned(port->meta) == port->meta.nbytes()) continue;
    why_loop_ = "an input that it writes does not lie dense";
  }
  for (const Segment& segment : segments_) {
    if (segment.is_captured) captured += segment.end - segment.begin;
  }
  if (total > kCopiedPerCall * captured) {
    why_loop_ =
        reprise::text("its inputs and outputs of ", total, " bytes would be copied in each run");
  }
  if (!why_loop_.empty()) return;
  memory_ = lasting_memory(total, device_);
  std::byte* place = memory_->data();
  for (Port* port : ports) {
    const PortCopy copy{port, place, bytes_spanned(port->meta)};
    const bool is_input = port < inputs.data() + inputs.size() && port >= inputs.data();
    if (is_input && copy.bytes > 0) in_.push_back(copy);
    if ((!is_input || port->written) && copy.bytes > 0) out_.push_back(copy);
    port->settle(place);
    place += bytes_of_place(*port);
  }
}

/// Host steps at either end see what is copied there.
void CudaReplay::begin_and_end_with_graphs() {
  if (!in_.empty() && !segments_.front().is_captured) {
    segments_.insert(segments_.begin(), Segment{0, 0, true, 0});
  }
  if (!out_.empty() && !segments_.back().is_captured) {
    segments_.push_back({calls_, calls_, true, 0});
  }
}

// ---- random numbers

View CudaReplay::counter() {
  if (!counter_) counter_ = lasting_memory(counter_meta_.nbytes(), device_);
  return {counter_->data(), &counter_meta_};
}

/// Takes from the generator what a segment will draw. The counter is written only when somebody
/// else drew since.
void CudaReplay::draw_numbers(uint64_t blocks) {
  if (blocks == 0) return;
  Generator& generator = default_generator();
  const std::array now{generator.seed(), generator.reserve(2 * blocks)};
  if (counter_stands_ != now) {  // by a kernel: a copy from the host might wait for the stream
    const Model<Arange> both(
        {static_cast<int64_t>(now[0]), static_cast<int64_t>(now[1] - now[0]), 2, int64, device_});
    const View out = counter();
    runtime().launch(both, {{}, {&out, 1}, nullptr, {current_stream(device_.index)}},
                     device_.index);
  }
  counter_stands_ = {now[0], now[1] + blocks};
}

// ---- running

bool CudaReplay::is_out_of_date() const { return settings_ != kernel_settings(); }

void CudaReplay::run(const RunCalls& calls) {
  if (is_out_of_date()) {
    drop_graphs();
    loops_ = spoilt_ = 0;
    settings_ = kernel_settings();
  }
  const bool launches = is_captured_;
  try {
    for (Segment& segment : segments_) {
      draw_numbers(segment.blocks);
      if (segment.graph != nullptr)
        launch(segment);
      else
        queue(segment, calls, false);
    }
  } catch (...) {
    counter_stands_.reset();  // where the counter stands nobody knows
    throw;
  }
  if (!launches && why_loop_.empty() && ++loops_ >= kLoops) capture(calls);
}

/// What a segment consists of, run or, when `captures`, put into its graph.
void CudaReplay::queue(Segment& segment, const RunCalls& calls, bool captures) {
  void* const stream = current_stream(device_.index);
  const auto queue_copies = [&](std::vector<PortCopy>& copies, bool in) {
    for (PortCopy& c : copies) {
      copy(c, in, stream);
      if (!captures) continue;
      c.node = runtime().captured_copy(device_.index, stream);
      c.bound = c.port->bound;
    }
  };
  if (&segment == &segments_.front()) queue_copies(in_, true);
  calls(segment.begin, segment.end);
  if (&segment == &segments_.back()) queue_copies(out_, false);
}

void CudaReplay::copy(const PortCopy& c, bool in, void* stream) {
  const MemoryPlace place{c.place, device_}, tensor{c.port->bound, device_};
  runtime().copy(in ? place : tensor, in ? tensor : place, c.bytes, stream);
}

void CudaReplay::launch(const Segment& segment) {
  void* const stream = current_stream(device_.index);
  const bool first = &segment == &segments_.front(), last = &segment == &segments_.back();
  if (first) {
    for (PortCopy& c : in_) {
      aim(c, segment.graph, true);
      if (c.is_apart) copy(c, true, stream);
    }
  }
  if (last) {
    for (PortCopy& c : out_) aim(c, segment.graph, false);
  }
  runtime().launch_graph(device_.index, segment.graph, stream);
  if (!last) return;
  for (const PortCopy& c : out_) {
    if (c.is_apart) copy(c, false, stream);
  }
}

void CudaReplay::aim(PortCopy& c, void* graph, bool in) {
  void* const tensor = c.port->bound;
  if (tensor == c.bound) return;
  c.bound = nullptr;  // until all is set
  c.is_apart = !runtime().set_copy(device_.index, graph, c.node, in ? c.place : tensor,
                                   in ? tensor : c.place, c.bytes);
  c.bound = tensor;
}

}  // namespace reprise::detail
