#pragma once
// Tensor: a handle on shape, strides, type, device and shared storage, with an optional autograd
// history. Copying a handle shares the data. A tensor made by `Input` is symbolic: it has a shape
// but no data, and what is called on it grows the symbolic graph.

#include <array>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "op.h"
#include "scalar.h"
#include "tensor_impl.h"

namespace reprise {

struct TensorOptions {
  std::optional<DType> dtype = {};  ///< default: float32, or what the values say
  Device device = Device::cpu();
  bool requires_grad = false;
};

/// Options of Tensor::backward and grad.
struct BackwardOptions {
  std::optional<bool> retain_graph = {};  ///< default: create_graph
  bool create_graph = false;
};

/// One dimension or a list of them; negative ones count from the back.
struct Dims : Shape {
  Dims() = default;
  Dims(int64_t dim) : Shape{dim} {}
  Dims(int dim) : Shape{dim} {}
  Dims(std::initializer_list<int64_t> dims) : Shape(dims) {}
  Dims(const Shape& dims) : Shape(dims) {}
};

struct ValuesIndices;
class Index;           // what stands between brackets (indexing.h)
class TensorIterator;  // over the first dimension (indexing.h)

/// The line of the caller, for errors.
struct CallSite {
  const char* file;
  int line;
  static constexpr CallSite current(const char* file = __builtin_FILE(),
                                    int line = __builtin_LINE()) {
    return {file, line};
  }
};

class REPRISE_API Tensor {
 public:
  /// An undefined tensor; only `defined` may be asked of it.
  Tensor() = default;
  explicit Tensor(Ref<TensorImpl> impl) : impl_(std::move(impl)) {}

  bool defined() const { return static_cast<bool>(impl_); }
  const Meta& meta() const { return impl().meta; }
  const Shape& shape() const { return meta().shape; }
  const Shape& sizes() const { return meta().shape; }
  const Strides& strides() const { return meta().strides; }
  DType dtype() const { return meta().dtype; }
  Device device() const { return meta().device; }
  int dim() const { return meta().dim(); }
  /// Size of one dimension; negative counts from the back. Index error.
  int64_t size(int64_t dim) const;
  /// Number of elements; Shape error when the batch size is unknown.
  int64_t numel() const;
  /// Dense in the order of `format`; strides of dimensions of size 1 do not matter.
  bool is_contiguous(MemoryFormat format = contiguous_format) const {
    return meta().is_contiguous(format);
  }
  bool is_symbolic() const { return defined() && static_cast<bool>(impl_->symbol); }
  /// Its values come only at replay: a tensor inside trace (graph/trace.h).
  bool is_traced() const { return has_data() && impl_->storage->is_traced(); }
  bool has_data() const { return defined() && static_cast<bool>(impl_->storage); }

  // Names for sizes: a batch of vectors [N, features] or of images [N, C, H, W]; Shape error
  // otherwise.
  int64_t batch_size() const;  ///< size of the first dimension; kUnknown (-1) when not known
  int64_t features() const;    ///< of [N, features]
  int64_t C() const;
  int64_t channels() const { return C(); }
  int64_t H() const;
  int64_t W() const;
  Pair HW() const;
  std::array<int64_t, 3> CHW() const;
  std::array<int64_t, 3> HWC() const;

  // Reading values. Inside a trace they are not known yet: a Graph error names the caller's line.

  /// First element. DType error unless T is the element type, Device error unless on the CPU.
  template <class T>
  T* data(const CallSite& where = CallSite::current()) const {
    if (is_traced()) [[unlikely]]
      fail_traced("data", where);
    return static_cast<T*>(data_as(dtype_of<T>()));
  }
  /// First element, untyped; null for an empty tensor. Value error when there is no data.
  void* raw_data() const;
  /// The value of a one-element tensor, converted to T.
  template <class T>
  T item(const CallSite& where = CallSite::current()) const {
    if (is_traced()) [[unlikely]]
      fail_traced("item", where);
    return scalar().template to<T>();
  }
  Scalar scalar() const;
  /// All values in row-major order, converted to T.
  template <class T>
  std::vector<T> to_vector(const CallSite& where = CallSite::current()) const;

  /// Same values as `dtype` or on `device`; the tensor itself when nothing changes. Differentiable.
  Tensor to(DType dtype) const;
  Tensor half() const { return to(DType::float16); }
  Tensor bfloat16() const { return to(DType::bfloat16); }
  /// Waits until the source may be changed and a result on the CPU is there. With `non_blocking`
  /// copies from and to pinned memory are only queued on the current stream of the GPU: a pinned
  /// source must keep its values until then, and the result, pinned when it is on the CPU, has its
  /// values after a synchronisation. Device error when there is no such device.
  Tensor to(Device device, bool non_blocking = false) const;
  Tensor cpu(bool non_blocking = false) const { return to(Device::cpu(), non_blocking); }
  Tensor cuda(int index = 0, bool non_blocking = false) const {
    return to(Device::cuda(index), non_blocking);
  }
  /// The same values in memory of the CPU from which a GPU copies by itself; the tensor itself when
  /// it is pinned. Device error when there is no GPU or the tensor lies on one. Not differentiable.
  Tensor pin_memory() const;
  bool is_pinned() const;
  /// Its memory is given back once `stream` is done with what it holds by then: for tensors used on
  /// another stream than the one that was current when they were made. Device error when they
  /// belong to different devices; nothing to do for memory that is not ours.
  template <class S>  // cuda::Stream (cuda.h)
  void record_stream(const S& stream) const {
    record_stream(stream.device(), stream.handle());
  }
  /// The tensor itself when it is dense in that order, else a copy that is. Shape error for
  /// channels_last unless there are 4 dimensions, [N, C, H, W]. Differentiable.
  Tensor to(MemoryFormat format) const;
  Tensor contiguous(MemoryFormat format = contiguous_format) const;
  /// A dense copy, channels-last when this is.
  Tensor clone() const;
  /// Writes the values of `source` (broadcast, converted, from any device) into this tensor;
  /// `non_blocking` as with `to`.
  Tensor& copy_(const Tensor& source, bool non_blocking = false);

  // Autograd (defined in autograd/)
  bool requires_grad() const;
  bool is_leaf() const;
  Tensor& requires_grad_(bool on = true);
  /// The accumulated gradient; undefined when there is none.
  Tensor grad() const;
  void set_grad(const Tensor& grad) const;
  /// Gradients of this tensor, times `gradient` (default 1 for a one-element tensor), added to the
  /// .grad() of every leaf it came from.
  void backward(const Tensor& gradient = {}, BackwardOptions options = {}) const;
  /// The same data without history.
  Tensor detach() const;
  /// Calls `hook` with the gradient of this tensor when it is known; a defined result replaces it.
  void register_hook(std::function<Tensor(const Tensor&)> hook) const;

  // Calling a layer: x(layer) is layer(x), x(layer, y) is layer(x, y).
  template <class Layer, class... More>
  requires(!std::is_convertible_v<Layer, Tensor>) auto operator()(Layer&& layer,
                                                                  const More&... more) const {
    return layer(*this, more...);
  }

  // The functions of ops.h as methods.
  Tensor neg() const;
  Tensor abs() const;
  Tensor sign() const;
  Tensor exp() const;
  Tensor log() const;
  Tensor sqrt() const;
  Tensor tanh() const;
  Tensor sigmoid() const;
  Tensor gelu(std::string_view approximate = "none") const;
  Tensor relu() const;
  Tensor clamp(std::optional<Scalar> min, std::optional<Scalar> max = {}) const;
#define REPRISE_BINARY_METHOD(name)       \
  Tensor name(const Tensor& other) const; \
  Tensor name(Scalar other) const;
  REPRISE_BINARY_METHOD(add)
  REPRISE_BINARY_METHOD(sub)
  REPRISE_BINARY_METHOD(mul)
  REPRISE_BINARY_METHOD(div)
  REPRISE_BINARY_METHOD(remainder)
  REPRISE_BINARY_METHOD(pow)
  REPRISE_BINARY_METHOD(maximum)
  REPRISE_BINARY_METHOD(minimum)
  REPRISE_BINARY_METHOD(eq)
  REPRISE_BINARY_METHOD(ne)
  REPRISE_BINARY_METHOD(lt)
  REPRISE_BINARY_METHOD(le)
  REPRISE_BINARY_METHOD(gt)
  REPRISE_BINARY_METHOD(ge)
#undef REPRISE_BINARY_METHOD
  /// This tensor where `condition` (bool) holds, else `other`.
  Tensor where(const Tensor& condition, const Tensor& other) const;
  Tensor where(const Tensor& condition, Scalar other) const;
  Tensor matmul(const Tensor& other) const;
  Tensor sum(const Dims& dims = {}, bool keepdim = false) const;
  Tensor mean(const Dims& dims = {}, bool keepdim = false) const;
  Tensor all(const Dims& dims = {}, bool keepdim = false) const;
  Tensor any(const Dims& dims = {}, bool keepdim = false) const;
  Tensor max() const;
  ValuesIndices max(int64_t dim, bool keepdim = false) const;
  Tensor min() const;
  ValuesIndices min(int64_t dim, bool keepdim = false) const;
  Tensor argmax(std::optional<int64_t> dim = {}, bool keepdim = false) const;
  Tensor argmin(std::optional<int64_t> dim = {}, bool keepdim = false) const;
  Tensor softmax(int64_t dim) const;
  Tensor log_softmax(int64_t dim) const;
  Tensor reshape(const Shape& shape) const;
  Tensor view(const Shape& shape) const;
  Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
  Tensor transpose(int64_t dim0, int64_t dim1) const;
  Tensor t() const;
  Tensor T() const;   ///< the same as t()
  Tensor mT() const;  ///< every matrix of a batch transposed; Index error below 2 dimensions
  Tensor permute(const Shape& dims) const;
  Tensor slice(int64_t dim, std::optional<int64_t> start = {}, std::optional<int64_t> end = {},
               int64_t step = 1) const;
  Tensor select(int64_t dim, int64_t index) const;
  Tensor expand(const Shape& shape) const;
  Tensor squeeze(std::optional<int64_t> dim = {}) const;
  Tensor unsqueeze(int64_t dim) const;
  Tensor gather(int64_t dim, const Tensor& index) const;
  Tensor index_select(int64_t dim, const Tensor& index) const;
  Tensors unbind(int64_t dim = 0) const;
  Tensors split(int64_t split_size, int64_t dim = 0) const;
  Tensors split(const std::vector<int64_t>& sizes, int64_t dim = 0) const;
  Tensors chunk(int64_t chunks, int64_t dim = 0) const;

  // x[2], x[{Slice(0, 3), 1, Ellipsis, None}], x[indices] (indexing.h).
  Tensor index(const std::vector<Index>& indices) const;
  Tensor operator[](int64_t index) const;
  Tensor operator[](const Index& index) const;
  Tensor operator[](std::initializer_list<Index> indices) const;
  /// By a symbol of an index (graph/symbolic_value.h).
  template <class I>
  requires requires(const Tensor& x, const I& i) { index_by(x, i); }
  Tensor operator[](const I& symbol) const { return index_by(*this, symbol); }
  /// `for (Tensor row : x)`: x[0], x[1], ... Shape error for a scalar, Graph error when the size of
  /// the first dimension is not known.
  TensorIterator begin() const;
  TensorIterator end() const;

  // In place: written into this tensor's storage. Autograd error on a leaf that requires grad, and
  // on a view, while gradients are recorded.
#define REPRISE_IN_PLACE_METHOD(name, symbol)                          \
  Tensor& name(const Tensor& other);                                   \
  Tensor& name(Scalar other);                                          \
  Tensor& operator symbol(const Tensor& other) { return name(other); } \
  Tensor& operator symbol(Scalar other) { return name(other); }
  REPRISE_IN_PLACE_METHOD(add_, +=)
  REPRISE_IN_PLACE_METHOD(sub_, -=)
  REPRISE_IN_PLACE_METHOD(mul_, *=)
  REPRISE_IN_PLACE_METHOD(div_, /=)
  REPRISE_IN_PLACE_METHOD(remainder_, %=)
#undef REPRISE_IN_PLACE_METHOD
  Tensor& relu_();
  Tensor& fill_(Scalar value);
  Tensor& zero_() { return fill_(0); }

  TensorImpl& impl() const {
    if (!impl_) [[unlikely]]
      fail(ErrorKind::Value, "tensor: expected a tensor, got an undefined one");
    return *impl_;
  }
  const Ref<TensorImpl>& ref() const { return impl_; }

 private:
  void record_stream(int index, void* stream) const;
  void* data_as(DType dtype) const;
  [[noreturn]] void fail_traced(std::string_view reader, const CallSite& where) const;

  Ref<TensorImpl> impl_;
};

/// What max and min over a dimension give: `auto [values, indices] = max(x, 1)`.
struct ValuesIndices {
  Tensor values, indices;
};

/// Values as PyTorch prints them.
REPRISE_API std::string to_string(const Tensor& tensor);
REPRISE_API std::ostream& operator<<(std::ostream& out, const Tensor& tensor);

/// A tensor of that shape with no data: shape inference runs on it.
REPRISE_API Tensor meta_tensor(const Meta& meta);

}  // namespace reprise
