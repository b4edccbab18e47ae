// Running: check and bind what the caller gives, then one loop over the steps.

#include <algorithm>
#include <utility>

#include "../core/device_context.h"
#include "../core/dispatch.h"
#include "../core/ops.h"
#include "../core/scope.h"
#include "program_state.h"

namespace reprise::detail {
namespace {

Range range_of(const Tensor& t) {
  const Meta& meta = t.meta();
  int64_t elements = meta.numel() == 0 ? 0 : 1;
  for (size_t d = 0; d < meta.shape.size() && elements > 0; ++d) {
    elements += (meta.shape[d] - 1) * meta.strides[d];
  }
  const auto* begin = static_cast<const std::byte*>(t.raw_data());
  return {begin, begin + elements * static_cast<int64_t>(size_of(meta.dtype))};
}

Tensor laid_out_as(const Meta& meta, const Tensor& x) {
  Tensor out = empty(meta.shape, {.dtype = meta.dtype, .device = meta.device});
  if (!meta.is_contiguous()) {
    int64_t elements = 1;
    for (size_t d = 0; d < meta.shape.size(); ++d) {
      elements += (meta.shape[d] - 1) * meta.strides[d];
    }
    const size_t bytes = static_cast<size_t>(elements) * size_of(meta.dtype);
    out = Tensor(make_ref<TensorImpl>(meta, make_ref<Storage>(bytes, meta.device)));
  }
  return out.copy_(x);
}

void check_port(std::string_view what, size_t i, const Meta& expected, const Tensor& got) {
  check(got.has_data() && !got.is_traced(), ErrorKind::Value, "program: expected values for ", what,
        " ", i, ", got ",
        !got.defined()      ? "an undefined tensor"
        : got.is_symbolic() ? "a symbolic tensor"
        : got.is_traced()   ? "a traced tensor"
                            : "a meta tensor");
  check(got.dtype() == expected.dtype, ErrorKind::DType, "program: expected ", what, " ", i, " of ",
        expected.dtype, expected.shape, ", got ", got.dtype(), got.shape());
  check(got.shape() == expected.shape, ErrorKind::Shape, "program: expected ", what, " ", i, " of ",
        expected.dtype, expected.shape, ", got ", got.dtype(), got.shape());
  check(got.device() == expected.device, ErrorKind::Device, "program: expected ", what, " ", i,
        " on ", expected.device, ", got one on ", got.device());
}

void check_count(std::string_view what, size_t expected, size_t got) {
  check(got == expected, ErrorKind::Value, "program: expected ", expected, " ", what, ", got ",
        got);
}

/// Whether all lie where they lay in the last run. What overlaps was looked at then.
bool same_places(const std::vector<Port>& ports, std::span<const Tensor> tensors) {
  return std::ranges::equal(ports, tensors, {}, &Port::bound,
                            [](const Tensor& t) { return static_cast<void*>(t.raw_data()); });
}

/// Within that layer, which a kernel may name when it is done.
void run_on_gpu(const BoundCall& call, const std::string& layer) {
  const Scope scope(layer);
  const int device = call.device.index;
  Launch launch = call.launch;
  launch.stream.handle = current_stream(device);
  launch_on(device_context(device, call.op->name()), *call.op, launch, device);
}

template <class F>
struct AtEnd {
  explicit AtEnd(const F& f) : f_(f) {}
  ~AtEnd() { f_(); }
  AtEnd(const AtEnd&) = delete;

 private:
  F f_;
};

}  // namespace

/// What is read in place of `in`: the same tensors, or copies laid out as the graph expects.
Tensors ProgramState::bind_inputs(std::span<const Tensor> in) {
  check_count("inputs", inputs.size(), in.size());
  Tensors copies;
  for (size_t i = 0; i < in.size(); ++i) {
    check_port("input", i, inputs[i].meta, in[i]);
    if (same_layout(inputs[i].meta, in[i].meta())) continue;
    check(!inputs[i].written, ErrorKind::Value, "program: input ", i,
          " is written in place; expected strides ", inputs[i].meta.strides, ", got ",
          in[i].strides());
    while (copies.size() < in.size()) copies.emplace_back();
    copies[i] = laid_out_as(inputs[i].meta, in[i]);
  }
  return copies;
}

void ProgramState::check_outputs(std::span<const Tensor> out) const {
  check_count("outputs", outputs.size(), out.size());
  for (size_t i = 0; i < out.size(); ++i) {
    check_port("output", i, outputs[i].meta, out[i]);
    check(same_layout(outputs[i].meta, out[i].meta()), ErrorKind::Value,
          "program: expected output ", i, " to be dense, with strides ", outputs[i].meta.strides,
          ", got strides ", out[i].strides());
  }
}

/// Nothing that is written may overlap anything else: ports are met in the order of their
/// addresses, each beside the one that reaches farthest so far.
void ProgramState::check_overlaps(std::span<const Tensor> in, std::span<const Tensor> out) {
  if (same_places(inputs, in) && same_places(outputs, out)) return;
  places.clear();
  for (size_t i = 0; i < in.size(); ++i) places.push_back({range_of(in[i]), i, inputs[i].written});
  for (size_t i = 0; i < out.size(); ++i) places.push_back({range_of(out[i]), in.size() + i, true});
  std::erase_if(places, [](const Place& p) { return p.range.begin == p.range.end; });
  std::ranges::sort(places, {}, [](const Place& p) { return p.range.begin; });
  const Place *farthest = nullptr, *farthest_written = nullptr;
  for (const Place& place : places) {
    const Place* other = place.written ? farthest : farthest_written;
    if (other != nullptr && place.range.meets(other->range)) fail_overlap(place, *other);
    check_captures(place);
    const auto advance = [&](const Place*& far) {
      if (far == nullptr || far->range.end < place.range.end) far = &place;
    };
    advance(farthest);
    if (place.written) advance(farthest_written);
  }
}

std::string ProgramState::name_of(const Place& place) const {
  const bool is_input = place.port < inputs.size();
  return is_input ? text("input ", place.port) : text("output ", place.port - inputs.size());
}

void ProgramState::fail_overlap(const Place& a, const Place& b) const {
  const bool first = a.written && (a.port > b.port || !b.written);
  fail(ErrorKind::Value, "program: ", name_of(first ? a : b), " overlaps ", name_of(first ? b : a));
}

void ProgramState::check_captures(const Place& place) const {
  const auto above = std::ranges::lower_bound(
      captured, place.range.end, {}, [](const CapturedMemory& c) { return c.range.begin; });
  if (above == captured.begin()) return;
  const CapturedMemory& last = *std::prev(above);
  if (!place.range.meets(last.range) || (!place.written && !last.written)) return;
  const auto which = std::ranges::find(compiled->graph.captures, last.root, &Capture::value);
  fail(ErrorKind::Value, "program: ", name_of(place), " overlaps ", which->name,
       ", which the program ", last.written ? "writes" : "reads");
}

void ProgramState::run_steps(std::span<const BoundCall> list) {
  const BoundCall* step = list.data();
  const BoundCall* const end = step + list.size();
  try {
    for (; step != end; ++step) {
      if (step->device.kind == Device::Kind::cpu) [[likely]]
        step->op->launch(Device::cpu(), step->launch);
      else
        run_on_gpu(*step, layer_of(*step));
    }
  } catch (Error& error) {
    if (const std::string& layer = layer_of(*step); !layer.empty()) error.prepend(layer);
    throw;
  }
}

const std::string& ProgramState::layer_of(const BoundCall& step) const {
  static const std::string none;
  const auto call = static_cast<size_t>(step.call);
  return call < compiled->graph.code.size() ? compiled->graph.code[call].where : none;
}

void ProgramState::run_checked(const std::vector<BoundCall>& list, MemoryCheck& checks) {
  const auto last = static_cast<int32_t>(compiled->graph.code.size());
  const int32_t prologue_end = compiled->graph.prologue;
  const bool early = &list == &prologue;
  auto step = list.begin();
  for (int32_t call = early ? 0 : prologue_end; call <= (early ? prologue_end - 1 : last); ++call) {
    checks.before(call);
    std::string_view op = "a view";
    for (; step != list.end() && step->call == call; ++step) {
      op = step->op->name();
      run_steps({&*step, 1});
    }
    checks.after(call, op);
  }
}

void ProgramState::run_prologue(MemoryCheck* checks) {
  stale |= std::exchange(arena->last_user, this) != this;
  stale |= replay != nullptr && replay->is_out_of_date();
  for (const auto& [storage, version] : watched) stale |= storage->version() != version;
  if (!stale && checks == nullptr) return;
  for (auto& [storage, version] : watched) version = storage->version();
  stale = true;
  if (checks != nullptr)
    run_checked(prologue, *checks);
  else
    run_steps(prologue);
  stale = false;
}

void ProgramState::run_main() {
  if (replay == nullptr) return run_steps(steps);
  replay->run([this](size_t begin, size_t end) {
    run_steps(std::span(steps).subspan(begin, end - begin));
  });
}

void ProgramState::run(std::span<const Tensor> in, std::span<const Tensor> out, bool fresh) {
  check(interpreter() == nullptr, ErrorKind::Graph,
        "program: cannot run inside a trace; call the function that it was compiled from");
  check(!arena->running.test_and_set(std::memory_order_acquire), ErrorKind::Graph,
        "program: another thread runs it; give each thread a clone()");
  const AtEnd release([&] { arena->running.clear(std::memory_order_release); });
  const bool updates = !updated.empty();
  check(!updates || !compiled->updating.test_and_set(std::memory_order_acquire), ErrorKind::Graph,
        "program: a clone runs on another thread, and both update the same captures");
  const AtEnd release_update([&] {
    if (updates) compiled->updating.clear(std::memory_order_release);
  });
  const Tensors copies = bind_inputs(in);
  if (!fresh) check_outputs(out);
  if (!fresh || writes) check_overlaps(in, out);
  for (size_t i = 0; i < in.size(); ++i) {
    const bool copied = !copies.empty() && copies[i].defined();
    inputs[i].bind((copied ? copies[i] : in[i]).raw_data());
  }
  for (size_t i = 0; i < out.size(); ++i) outputs[i].bind(out[i].raw_data());
  const auto bump_versions = [&] {
    for (const Ref<Storage>& storage : updated) storage->bump_version();
    for (size_t i = 0; i < in.size(); ++i) {
      if (inputs[i].written) in[i].impl().storage->bump_version();
    }
    for (const Tensor& t : out) t.impl().storage->bump_version();
  };
  bump_versions();
  const AtEnd bump_again(bump_versions);  // a host call may have looked at what was half written
  if (compiled->check_memory) {
    MemoryCheck checks(compiled->plan, arena->at(0));
    run_prologue(&checks);
    run_checked(steps, checks);
  } else {
    const KernelSettingsGuard settings;  // of one run all kernels are chosen alike
    arena->acquire();
    const AtEnd release_memory([&] { arena->release(); });
    run_prologue(nullptr);
    run_main();
  }
}

}  // namespace reprise::detail
