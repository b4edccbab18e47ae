#pragma once
// Descriptors of the emulated cuDNN: attributes by name, checked against what cuDNN documents.

#include <cstring>
#include <map>
#include <memory>
#include <vector>

#if defined(REPRISE_HAS_CUDNN)

#include <cudnn.h>

namespace reprise::emulator {

struct DnnNode;
using DnnRef = std::shared_ptr<DnnNode>;

struct DnnValue {
  std::vector<std::byte> bytes;
  std::vector<DnnRef> nodes;  ///< of an attribute whose values are descriptors
};

struct DnnNode {
  cudnnBackendDescriptorType_t type;
  bool finalized = false;
  std::map<cudnnBackendAttributeName_t, DnnValue> attributes;

  bool has(cudnnBackendAttributeName_t name) const { return attributes.count(name) != 0; }
  template <class T>
  std::vector<T> all(cudnnBackendAttributeName_t name) const {
    const std::vector<std::byte>& bytes = attributes.at(name).bytes;
    std::vector<T> values(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  template <class T>
  T one(cudnnBackendAttributeName_t name) const {
    T value;
    std::memcpy(&value, attributes.at(name).bytes.data(), sizeof value);
    return value;
  }
  const DnnNode& node(cudnnBackendAttributeName_t name) const {
    return *attributes.at(name).nodes.at(0);
  }
};

/// What an operation of convolution calls its parts.
struct DnnConvNames {
  cudnnBackendAttributeName_t attributes, x, weight, y, alpha, beta;
};
/// Null for what is no convolution.
const DnnConvNames* dnn_conv_names(cudnnBackendDescriptorType_t type);

/// Set and Finalize, with the statuses of cuDNN.
cudnnStatus_t set_attribute(DnnNode& node, cudnnBackendAttributeName_t name,
                            cudnnBackendAttributeType_t type, int64_t count, const void* values);
cudnnStatus_t finalize(DnnNode& node);

/// The tensors of a graph by their numbers, those in memory and the virtual ones.
std::map<int64_t, const DnnNode*> tensors_of(const DnnNode& graph);

/// The graph's operations on these pointers.
void compute(const DnnNode& graph, const std::map<int64_t, void*>& pointers);

}  // namespace reprise::emulator

#endif
