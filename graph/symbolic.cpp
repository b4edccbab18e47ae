#include "symbolic.h"

#include <algorithm>
#include <atomic>
#include <cctype>

#include "../autograd/tape.h"

namespace reprise {
namespace {

std::atomic<uint64_t> next_sequence{0};

// Stand for an unknown batch size while shapes are inferred. Two of them show which sizes follow
// the batch; both can be halved a few times.
constexpr std::array<int64_t, 2> kProbes{8, 16};

SymbolicNode* node_or_null(const Tensor& x) {
  return x.is_symbolic() ? static_cast<SymbolicNode*>(x.impl().symbol.get()) : nullptr;
}

Tensor with_batch(const Tensor& x, int64_t batch) {
  if (!x.is_symbolic()) return x;
  Meta meta(x.shape(), x.dtype());
  for (int64_t& s : meta.shape) {
    if (s == kUnknown) s = batch;
  }
  return meta_tensor(Meta(meta.shape, meta.dtype));
}

std::vector<Meta> infer_with(Callable& callable, std::span<const Tensor> in, int64_t batch) {
  Tensors metas;
  for (const Tensor& x : in) metas.push_back(with_batch(x, batch));
  const Tensors out = callable.call(metas);
  std::vector<Meta> result;
  for (const Tensor& y : out) result.emplace_back(y.shape(), y.dtype(), Device::meta());
  return result;
}

bool has_unknown(const Tensor& x) {
  return x.defined() && std::find(x.shape().begin(), x.shape().end(), kUnknown) != x.shape().end();
}

/// The outputs' metas; sizes that differ between two batch sizes are unknown.
std::vector<Meta> infer(Callable& callable, std::span<const Tensor> in) {
  const NoGradGuard no_grad;
  if (std::none_of(in.begin(), in.end(), has_unknown)) return infer_with(callable, in, 0);
  try {
    std::vector<Meta> out = infer_with(callable, in, kProbes[0]);
    const std::vector<Meta> other = infer_with(callable, in, kProbes[1]);
    for (size_t i = 0; i < out.size(); ++i) {
      for (size_t d = 0; d < out[i].shape.size(); ++d) {
        if (out[i].shape[d] != other[i].shape[d]) out[i].shape[d] = kUnknown;
      }
    }
    return out;
  } catch (Error& error) {
    if (error.kind() != ErrorKind::Shape) throw;
    error.append(text(" (the unknown batch size stands as ", kProbes[0], " or ", kProbes[1],
                      " while shapes are inferred)"));
    throw;
  }
}

}  // namespace

SymbolicNode::SymbolicNode(const Meta& meta, Ref<SymbolicCall> call, size_t output)
    : meta_(meta),
      call_(std::move(call)),
      output_(output),
      sequence_(next_sequence.fetch_add(1, std::memory_order_relaxed)) {
  for (SymbolicNode* parent : parents()) {
    parent->children_.push_back(this);
    depth_ = std::max(depth_, parent->depth_ + 1);
  }
}

SymbolicNode::~SymbolicNode() {
  for (SymbolicNode* parent : parents()) {
    auto& list = parent->children_;  // the latest child usually dies first
    const auto at = std::find(list.rbegin(), list.rend(), this);
    if (at != list.rend()) list.erase(std::next(at).base());
  }
}

std::vector<SymbolicNode*> SymbolicNode::parents() const {
  std::vector<SymbolicNode*> out;
  if (!call_) return out;
  for (const Tensor& x : call_->arguments) {
    SymbolicNode* node = node_or_null(x);
    if (node != nullptr && std::find(out.begin(), out.end(), node) == out.end()) {
      out.push_back(node);
    }
  }
  return out;
}

Tensor SymbolicNode::tensor() {
  Tensor x = meta_tensor(meta_);
  x.impl().symbol = Ref<Symbol>(this);
  return x;
}

Tensors SymbolicNode::call(std::shared_ptr<Callable> callable, std::span<const Tensor> in) {
  const std::vector<Meta> metas = infer(*callable, in);
  auto made_by = make_ref<SymbolicCall>();
  made_by->callable = std::move(callable);
  made_by->arguments = Tensors(in);
  Tensors out;
  for (size_t i = 0; i < metas.size(); ++i) {
    out.push_back(make_ref<SymbolicNode>(metas[i], made_by, i)->tensor());
  }
  return out;
}

std::string SymbolicNode::text() const {
  return reprise::text("<SymbolicTensor ", shape_text(meta_.shape), "; ", parents().size(),
                       " parents; ", children_.size(), " children>");
}

Tensor Input(const Shape& shape, const InputOptions& options) {
  Shape full = shape;
  if (options.batch_shape) {
    full = *options.batch_shape;
  } else {
    full.insert(0, options.batch_size.value_or(kUnknown));
  }
  for (size_t i = 0; i < full.size(); ++i) {
    const bool unknown_batch = i == 0 && full[i] == kUnknown;
    check(full[i] >= 0 || unknown_batch, ErrorKind::Shape,
          "Input: expected sizes of at least 0, got ", full[i]);
  }
  Shape one_image = full;  // refuses a product of sizes past 63 bits
  if (!full.empty() && full[0] == kUnknown) one_image[0] = 1;
  one_image.numel();
  return make_ref<SymbolicNode>(Meta(full, options.dtype, Device::meta()), nullptr, 0)->tensor();
}

SymbolicNode& node_of(std::string_view what, const Tensor& x) {
  SymbolicNode* node = x.defined() ? node_or_null(x) : nullptr;
  check(node != nullptr, ErrorKind::Graph, what, ": expected a symbolic tensor, got ",
        x.defined() ? text(x.dtype(), x.shape()) : std::string("an undefined one"));
  return *node;
}

std::vector<Tensor> parents(const Tensor& x) {
  std::vector<Tensor> out;
  for (SymbolicNode* node : node_of("parents", x).parents()) out.push_back(node->tensor());
  return out;
}

std::vector<Tensor> children(const Tensor& x) {
  std::vector<Tensor> out;
  for (SymbolicNode* node : node_of("children", x).children()) out.push_back(node->tensor());
  return out;
}

std::shared_ptr<Callable> layer(const Tensor& x) {
  const SymbolicCall* call = node_of("layer", x).made_by();
  return call == nullptr ? nullptr : call->callable;
}

int depth(const Tensor& x) { return node_of("depth", x).depth(); }

std::string display_name(const Callable* callable) {
  if (callable == nullptr) return "Input";
  std::string out;
  bool upper = true;
  for (const char c : callable->name()) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

std::string shape_text(const Shape& shape) {
  std::string out = to_string(shape);
  out.front() = '(';
  out.back() = ')';
  if (shape.dim() == 1) out.insert(out.size() - 1, ",");
  return out;
}

}  // namespace reprise
