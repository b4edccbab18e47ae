#include "tensor.h"

#include "dispatch.h"
#include "ops.h"
#include "ops/elementwise.h"
#include "ops/transfer.h"

namespace reprise {

TensorImpl::TensorImpl(const Meta& m, Ref<Storage> s, int64_t first)
    : meta(m), offset(first), storage(std::move(s)) {}
TensorImpl::~TensorImpl() {
  if (history) history->tensor_died(*this);
}

int64_t Tensor::size(int64_t d) const {
  const int64_t size = shape()[static_cast<size_t>(wrap_dim("size", d, dim()))];
  check(size != kUnknown, ErrorKind::Shape, "size: dimension ", d,
        " follows the batch and is not known yet; give Input a batch_size, or leave it to -1, "
        "flatten(1) or a function in the graph");
  return size;
}

int64_t Tensor::numel() const {
  for (int64_t s : shape()) {
    check(s != kUnknown, ErrorKind::Shape,
          "numel: the batch size is not known; give Input a batch_size");
  }
  return shape().numel();
}

namespace {

int64_t named_size(const Tensor& x, std::string_view name, int dims, size_t at) {
  check(x.dim() == dims, ErrorKind::Shape, name, ": expected a tensor of ", dims,
        " dimensions, got ", x.shape());
  return x.shape()[at];
}

}  // namespace

int64_t Tensor::batch_size() const {
  check(dim() > 0, ErrorKind::Shape, "batch_size: expected at least 1 dimension, got a scalar");
  return shape()[0];
}
int64_t Tensor::features() const { return named_size(*this, "features", 2, 1); }
int64_t Tensor::C() const { return named_size(*this, "C", 4, 1); }
int64_t Tensor::H() const { return named_size(*this, "H", 4, 2); }
int64_t Tensor::W() const { return named_size(*this, "W", 4, 3); }
Pair Tensor::HW() const { return {H(), W()}; }
std::array<int64_t, 3> Tensor::CHW() const { return {C(), H(), W()}; }
std::array<int64_t, 3> Tensor::HWC() const { return {H(), W(), C()}; }

namespace {

std::string traced_text(const Tensor& x) {
  const Interpreter* tracer = interpreter();
  return tracer == nullptr ? text("a ", x.dtype(), x.shape(), " of a trace that has ended")
                           : tracer->describe(x);
}

}  // namespace

void Tensor::fail_traced(std::string_view reader, const CallSite& where) const {
  std::string_view file = where.file;
  file.remove_prefix(file.find_last_of('/') + 1);
  fail(ErrorKind::Graph, reader, " at ", file, ":", where.line, ": the values of ",
       traced_text(*this),
       " are known only at replay; inside trace nothing may depend on them: use ops instead "
       "(where, maximum, gather), or read the value outside");
}

void* Tensor::raw_data() const {
  check(static_cast<bool>(impl().storage), ErrorKind::Value,
        is_symbolic()
            ? "tensor: a symbolic tensor has no values; replay a SymbolicModel to get them"
            : "tensor: a meta tensor has no values");
  if (is_traced()) [[unlikely]]
    fail(ErrorKind::Graph, "tensor: the values of ", traced_text(*this),
         " are known only at replay");
  return impl().storage->data() + impl().offset * static_cast<int64_t>(size_of(dtype()));
}

void* Tensor::data_as(DType wanted) const {
  check(dtype() == wanted, ErrorKind::DType, "data: expected elements of ", dtype(), ", got ",
        wanted);
  check(device().kind != Device::Kind::cuda, ErrorKind::Device,
        "data: expected a tensor on cpu, got ", device());
  return raw_data();
}

Scalar Tensor::scalar() const {
  if (!has_data()) raw_data();  // says why there are no values
  check(numel() == 1, ErrorKind::Value, "item: expected a tensor of one element, got ", shape());
  const Tensor here = device() == Device::cpu() ? *this : detach().cpu();
  const void* value = here.raw_data();
  return visit_any_dtype(dtype(), [&]<class T>() {
    const T& element = *static_cast<const T*>(value);
    if constexpr (is_half_type<T>)
      return Scalar(static_cast<float>(element));
    else
      return Scalar(element);
  });
}

template <class T>
std::vector<T> Tensor::to_vector(const CallSite& where) const {
  if (is_traced()) fail_traced("to_vector", where);
  const Tensor dense = detach().to(Device::cpu()).to(dtype_of<T>()).contiguous();
  const T* first = dense.data<T>();
  return std::vector<T>(first, first + dense.numel());
}
template std::vector<float> Tensor::to_vector(const CallSite&) const;
template std::vector<double> Tensor::to_vector(const CallSite&) const;
template std::vector<int64_t> Tensor::to_vector(const CallSite&) const;
template std::vector<int32_t> Tensor::to_vector(const CallSite&) const;
template std::vector<uint8_t> Tensor::to_vector(const CallSite&) const;
template std::vector<bool> Tensor::to_vector(const CallSite&) const;
template std::vector<Half> Tensor::to_vector(const CallSite&) const;
template std::vector<BFloat16> Tensor::to_vector(const CallSite&) const;

Tensor Tensor::to(DType wanted) const {
  if (dtype() == wanted) return *this;
  return composite(
      "to", [wanted](const Tensor& x) { return apply(Copy{wanted}, x); }, *this);
}

Tensor Tensor::clone() const { return reprise::clone(*this); }

Tensor& Tensor::copy_(const Tensor& source, bool non_blocking) {
  if (source.has_data() && has_data() && source.device() != device()) [[unlikely]] {
    return detail::copy_across(*this, source, non_blocking);
  }
  const std::array<Tensor, 1> in{source.shape() == shape() ? source : source.expand(shape())};
  dispatch(Model(Copy{dtype()}), in, this);
  return *this;
}

Tensor meta_tensor(const Meta& meta) {
  Meta without_data = meta;
  without_data.device = Device::meta();
  return Tensor(make_ref<TensorImpl>(without_data, Ref<Storage>()));
}

}  // namespace reprise
