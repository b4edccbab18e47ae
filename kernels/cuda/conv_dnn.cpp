#include "conv_dnn.h"

#include "../../core/cuda.h"
#include "conv_graph.h"
#include "conv_plans.h"
#include "handles.h"
#include "on_device.h"

namespace reprise::cuda {

#if defined(REPRISE_HAS_CUDNN)

size_t ConvPlans::room(const ConvKey& key, bool tf32) {
  const std::lock_guard lock(mutex_);
  return find(key, tf32).room;
}

bool ConvPlans::has(const ConvKey& key, bool tf32) {
  const std::lock_guard lock(mutex_);
  return find(key, tf32).plans[tf32]->plan.has_value();
}

ConvPlans::Entry& ConvPlans::find(const ConvKey& key, bool tf32) {
  Entry& entry = entries_[key];
  std::optional<Made>& made = entry.plans[tf32];
  if (made.has_value()) return entry;
  made.emplace(Made{make_({key.work, tf32, entry.room})});
  if (!entry.plans[!tf32].has_value()) entry.room = made->plan ? made->plan->workspace() : 0;
  return entry;
}

namespace {

/// For the devices of this process; never destroyed, since CUDA may be gone by then.
ConvPlans& plans() {
  static ConvPlans& all = *new ConvPlans(
      [](const ConvRequest& request) { return make_conv_plan(request, {.handle = dnn_handle()}); });
  return all;
}

bool uses_tf32(DType dtype) { return dtype == float32 && allow_tf32(); }

bool is_empty(const ConvShape& s) {
  return s.batch == 0 || s.in_channels == 0 || s.out_channels == 0;
}

bool is_aligned(const void* operand) {
  return reinterpret_cast<uintptr_t>(operand) % kDnnAlignment == 0;
}

ConvKey key_of(const DnnConv& c) { return {c.device, c.work}; }

/// What cuDNN is asked for. Sums that become 16 bits wide get their bias before that, if there is a
/// plan that adds it.
DnnConv wanted(const ConvWork& work) {
  // Made before the plans are locked: it may wait for a capture, which may wait for the plans.
  (void)dnn_handle();
  DnnConv conv{current_device(), work, uses_tf32(work.dtype)};
  conv.work.bias = work.bias && is_half(work.dtype);
  if (conv.work.bias) conv.work.bias = plans().has(key_of(conv), conv.tf32);
  return conv;
}

}  // namespace

size_t dnn_conv_workspace(const ConvWork& work) {
  if (is_empty(work.shape) || !has_dnn()) return 0;
  const DnnConv conv = wanted(work);
  return plans().room(key_of(conv), conv.tf32);
}

std::optional<DnnConv> find_dnn_conv(const ConvWork& work, const ConvOperands& operands) {
  if (is_empty(work.shape) || !has_dnn()) return std::nullopt;
  if (!std::all_of(operands.begin(), operands.end(), is_aligned)) return std::nullopt;
  const DnnConv conv = wanted(work);
  if (!plans().has(key_of(conv), conv.tf32)) return std::nullopt;
  return conv;
}

void DnnConv::run(ConvOperands operands, void* workspace, reprise::Stream stream) const {
  if (!work.bias) operands.back() = nullptr;
  plans().use(key_of(*this), tf32, [&](const ConvPlan& plan) {
    plan.run(dnn_handle(static_cast<cudaStream_t>(stream.handle)), operands, workspace);
  });
}

#else

size_t dnn_conv_workspace(const ConvWork&) { return 0; }
std::optional<DnnConv> find_dnn_conv(const ConvWork&, const ConvOperands&) { return std::nullopt; }
void DnnConv::run(ConvOperands, void*, reprise::Stream) const {}

#endif

}  // namespace reprise::cuda
