#include "conv_dnn.h"

#include "../../core/cuda.h"
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
  made.emplace(Made{make_({key.pass, key.shape, key.dtype, tf32, entry.room})});
  if (!entry.plans[!tf32].has_value()) entry.room = made->plan ? made->plan->workspace() : 0;
  return entry;
}

namespace {

/// For the devices of this process; never destroyed, since CUDA may be gone by then.
ConvPlans& plans() {
  static ConvPlans& all = *new ConvPlans([](const ConvRequest& request) {
    return make_conv_plan(request, {.handle = dnn_handle(nullptr)});
  });
  return all;
}

ConvKey key_of(const DnnConv& c) { return {c.device, c.pass, c.shape, c.dtype}; }

bool uses_tf32(DType dtype) { return dtype == float32 && allow_tf32(); }

bool is_empty(const ConvShape& s) {
  return s.batch == 0 || s.in_channels == 0 || s.out_channels == 0;
}

bool is_aligned(const void* operand) {
  return reinterpret_cast<uintptr_t>(operand) % kDnnAlignment == 0;
}

}  // namespace

size_t dnn_conv_workspace(ConvPass pass, const ConvShape& s, DType dtype) {
  if (is_empty(s) || !has_dnn()) return 0;
  return plans().room({current_device(), pass, s, dtype}, uses_tf32(dtype));
}

std::optional<DnnConv> find_dnn_conv(ConvPass pass, const ConvShape& s, DType dtype,
                                     const ConvOperands& operands) {
  if (is_empty(s) || !has_dnn()) return std::nullopt;
  if (!std::all_of(operands.begin(), operands.end(), is_aligned)) return std::nullopt;
  const DnnConv conv{current_device(), pass, s, dtype, uses_tf32(dtype)};
  if (!plans().has(key_of(conv), conv.tf32)) return std::nullopt;
  return conv;
}

void DnnConv::run(const ConvOperands& operands, void* workspace, reprise::Stream stream) const {
  plans().use(key_of(*this), tf32, [&](const ConvPlan& plan) {
    plan.run(dnn_handle(static_cast<cudaStream_t>(stream.handle)), operands, workspace);
  });
}

#else

size_t dnn_conv_workspace(ConvPass, const ConvShape&, DType) { return 0; }
std::optional<DnnConv> find_dnn_conv(ConvPass, const ConvShape&, DType, const ConvOperands&) {
  return std::nullopt;
}
void DnnConv::run(const ConvOperands&, void*, reprise::Stream) const {}

#endif

}  // namespace reprise::cuda
