#pragma once
// Convolutions in the words of cuDNN's graph interface.

#include <deque>

#include "conv_work.h"
#include "dnn_descriptor.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {

/// Where every operand begins, in bytes.
inline constexpr int64_t kDnnAlignment = 16;

/// One convolution, and the sum with its bias behind it. Operands are known by their place in
/// ConvOperands. Sums are float32 for 16 bits, and are rounded once.
class ConvGraph {
 public:
  /// The handle may be null, for plans of a device that is only described.
  ConvGraph(const ConvWork& work, cudnnHandle_t handle);

  const DnnDescriptor& get() const { return graph_; }

 private:
  const DnnDescriptor& add_tensor(int64_t id, const std::array<int64_t, 4>& sizes,
                                  bool in_memory = true);
  const DnnDescriptor& add_attributes();
  void add_convolution(const DnnDescriptor& y);
  void add_bias(const DnnDescriptor& sums, const DnnDescriptor& y);
  void set_factor(DnnDescriptor& op, cudnnBackendAttributeName_t name, double factor) const;

  const ConvWork& work_;
  cudnnDataType_t type_, sum_type_;
  std::deque<DnnDescriptor> parts_;  // they live until the graph is finalized
  std::vector<cudnnBackendDescriptor_t> operations_;
  DnnDescriptor graph_;
};

}  // namespace reprise::cuda

#endif
