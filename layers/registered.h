#pragma once
// What a layer keeps of the tensors that it registers.

#include "../core/tensor.h"

namespace reprise::nn {

class Module;

namespace detail {
struct ModuleState;
class CloneScope;
}  // namespace detail

/// The tensor that register_parameter or register_buffer returns, to be kept as a member:
///   nn::Parameter scale = register_parameter("scale", ones({10}));
/// A Tensor in all but this: in a clone of its layer it is the clone's tensor. Undefined unless it
/// comes from a registration.
class REPRISE_API Registered : public Tensor {
 public:
  Registered() = default;
  Registered(const Registered& other);
  Registered(Registered&&) noexcept = default;
  Registered& operator=(const Registered& other) { return *this = Registered(other); }
  Registered& operator=(Registered&&) noexcept = default;

 private:
  friend class Module;
  friend class detail::CloneScope;
  Registered(Tensor tensor, const detail::ModuleState* owner)
      : Tensor(std::move(tensor)), owner_(owner) {}

  const detail::ModuleState* owner_ = nullptr;  // which registered it; never looked into
};

using Parameter = Registered;
using Buffer = Registered;

}  // namespace reprise::nn
