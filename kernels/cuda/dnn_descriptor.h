#pragma once
// Descriptors of cuDNN's graph interface: attributes are set one by one, then the descriptor is
// finalized and read by others.

#include <utility>
#include <vector>

#include "libraries.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::cuda {

template <class T>
inline constexpr cudnnBackendAttributeType_t kDnnType = CUDNN_TYPE_BACKEND_DESCRIPTOR;
template <>
inline constexpr auto kDnnType<cudnnHandle_t> = CUDNN_TYPE_HANDLE;
template <>
inline constexpr auto kDnnType<cudnnDataType_t> = CUDNN_TYPE_DATA_TYPE;
template <>
inline constexpr auto kDnnType<bool> = CUDNN_TYPE_BOOLEAN;
template <>
inline constexpr auto kDnnType<int64_t> = CUDNN_TYPE_INT64;
template <>
inline constexpr auto kDnnType<float> = CUDNN_TYPE_FLOAT;
template <>
inline constexpr auto kDnnType<double> = CUDNN_TYPE_DOUBLE;
template <>
inline constexpr auto kDnnType<char> = CUDNN_TYPE_CHAR;
template <>
inline constexpr auto kDnnType<cudnnConvolutionMode_t> = CUDNN_TYPE_CONVOLUTION_MODE;
template <>
inline constexpr auto kDnnType<cudnnPointwiseMode_t> = CUDNN_TYPE_POINTWISE_MODE;
template <>
inline constexpr auto kDnnType<cudnnBackendHeurMode_t> = CUDNN_TYPE_HEUR_MODE;
template <>
inline constexpr auto kDnnType<cudnnBackendNumericalNote_t> = CUDNN_TYPE_NUMERICAL_NOTE;

/// Owns a descriptor. Device errors where cuDNN refuses.
class DnnDescriptor {
 public:
  explicit DnnDescriptor(cudnnBackendDescriptorType_t type) {
    REPRISE_CUDA_CHECK(dnn().cudnnBackendCreateDescriptor(type, &descriptor_));
  }
  ~DnnDescriptor() {
    if (descriptor_ != nullptr) (void)dnn().cudnnBackendDestroyDescriptor(descriptor_);
  }
  DnnDescriptor(DnnDescriptor&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  DnnDescriptor& operator=(DnnDescriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }

  cudnnBackendDescriptor_t get() const { return descriptor_; }

  void set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, int64_t count,
           const void* values) {
    REPRISE_CUDA_CHECK(dnn().cudnnBackendSetAttribute(descriptor_, name, type, count, values));
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, const std::vector<T>& values) {
    set(name, kDnnType<T>, static_cast<int64_t>(values.size()), values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, T value) {
    set(name, kDnnType<T>, 1, &value);
  }
  void set(cudnnBackendAttributeName_t name, const DnnDescriptor& other) {
    set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &other.descriptor_);
  }
  DnnDescriptor& finalize() {
    REPRISE_CUDA_CHECK(dnn().cudnnBackendFinalize(descriptor_));
    return *this;
  }

  template <class T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    int64_t count = 0;
    REPRISE_CUDA_CHECK(
        dnn().cudnnBackendGetAttribute(descriptor_, name, kDnnType<T>, 1, &count, &value));
    return value;
  }
  /// At most as many values as there are; how many came is the size of the result.
  template <class T>
  std::vector<T> get(cudnnBackendAttributeName_t name, std::vector<T> values) const {
    int64_t count = 0;
    REPRISE_CUDA_CHECK(dnn().cudnnBackendGetAttribute(descriptor_, name, kDnnType<T>,
                                                      static_cast<int64_t>(values.size()), &count,
                                                      values.data()));
    values.resize(std::min(values.size(), static_cast<size_t>(count)));
    return values;
  }

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace reprise::cuda

#endif
