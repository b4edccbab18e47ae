// How the segments of a program become graphs, and what is said of it.

#include "../core/device_context.h"
#include "../core/scope.h"
#include "cuda_replay.h"

namespace reprise::detail {
namespace {

/// Of a capture that others spoilt.
constexpr int kRepeats = 3;

std::string counted(size_t count, std::string_view what) {
  return text(count, " ", what, count == 1 ? "" : "s");
}

}  // namespace

void CudaReplay::capture(const RunCalls& calls) {
  try {
    for (Segment& segment : segments_) {
      if (segment.is_captured) record(segment, calls);
    }
    is_captured_ = true;
  } catch (const std::exception& error) {
    drop_graphs();
    capture_failed(error);
  }
}

/// What others did, or room that others took, does not speak against the next capture.
void CudaReplay::capture_failed(const std::exception& error) {
  const auto* ours = dynamic_cast<const Error*>(&error);
  const bool passes =
      ours != nullptr && (ours->is_late() || ours->kind() == ErrorKind::OutOfMemory);
  if (!passes || spoilt_ == kRepeats) {
    why_loop_ = error.what();
  } else {
    ++spoilt_;
    why_spoilt_ = error.what();
  }
}

void CudaReplay::record(Segment& segment, const RunCalls& calls) {
  void* const stream = runtime().begin_capture(device_.index);
  std::exception_ptr failure;
  try {
    const cuda::StreamGuard guard(cuda::Stream::adopt(stream, device_.index));
    const Scope whoever_launches(make_ref<const ScopePath>(nullptr, ""));  // not this caller
    queue(segment, calls, true);
  } catch (...) {
    failure = std::current_exception();
  }
  const CapturedGraph made = runtime().end_capture(device_.index, stream);
  segment.graph = made.graph;
  kernels_ += made.kernels;
  if (!failure) failure = made.failure;
  if (failure) std::rethrow_exception(failure);
}

void CudaReplay::drop_graphs() noexcept {
  for (Segment& segment : segments_) {
    void* const graph = std::exchange(segment.graph, nullptr);
    if (graph != nullptr) runtime().destroy_graph(device_.index, graph);
  }
  for (PortCopy& c : in_) c.is_apart = false;
  for (PortCopy& c : out_) c.is_apart = false;
  is_captured_ = false;
  kernels_ = 0;
}

std::string CudaReplay::text() const {
  const std::string spoilt = spoilt_text();
  const std::string loop = reprise::text("a loop of ", counted(calls_, "call"));
  if (!why_loop_.empty()) return loop + ", since " + why_loop_ + spoilt;
  if (!is_captured_) return loop + (spoilt.empty() ? " until it has run twice" : spoilt);
  size_t graphs = 0, host_steps = 0;
  for (const Segment& s : segments_) {
    graphs += s.is_captured ? 1 : 0;
    host_steps += s.is_captured ? 0 : s.end - s.begin;
  }
  std::string out = graphs == 1 ? "one CUDA graph" : reprise::text(graphs, " CUDA graphs");
  out += " of " + counted(static_cast<size_t>(kernels_), "kernel");
  if (host_steps > 0) out += " and " + counted(host_steps, "host step");
  return out + spoilt;
}

std::string CudaReplay::spoilt_text() const {
  if (spoilt_ == 0) return "";
  const std::string captures = counted(static_cast<size_t>(spoilt_), "capture");
  return reprise::text(" after ", captures, " that others spoilt (", why_spoilt_, ")");
}

}  // namespace reprise::detail
