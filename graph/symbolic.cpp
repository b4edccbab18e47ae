#include "symbolic.h"

#include <algorithm>
#include <atomic>
#include <cctype>

namespace reprise {
namespace {

std::atomic<uint64_t> next_sequence{0};
constinit thread_local uint64_t first_known = 0;

SymbolicNode* node_or_null(const Tensor& x) {
  return x.is_symbolic() ? static_cast<SymbolicNode*>(x.impl().symbol.get()) : nullptr;
}

}  // namespace

std::string SymbolicCall::custom_name() const {
  const std::lock_guard lock(mutex_);
  return custom_name_;
}

void SymbolicCall::set_custom_name(const std::string& name) {
  const std::lock_guard lock(mutex_);
  custom_name_ = name;
}

SymbolicNode::SymbolicNode(Type type, Ref<SymbolicCall> call, size_t output)
    : type_(std::move(type)),
      call_(std::move(call)),
      output_(output),
      sequence_(next_sequence.fetch_add(1, std::memory_order_relaxed)) {
  const auto made_from = parents();
  for (const SymbolicNode* parent : made_from) depth_ = std::max(depth_, parent->depth_ + 1);
  try {
    for (SymbolicNode* parent : made_from) {
      const std::lock_guard lock(parent->mutex_);
      parent->children_.emplace_hint(parent->children_.end(), sequence_, this);
    }
  } catch (...) {
    leave_parents();
    throw;
  }
}

SymbolicNode::~SymbolicNode() { leave_parents(); }

void SymbolicNode::leave_parents() {
  for (SymbolicNode* parent : parents()) {
    const std::lock_guard lock(parent->mutex_);
    parent->children_.erase(sequence_);
  }
}

const detail::BoxType* SymbolicNode::boxed() const {
  return type_.examples.empty() ? nullptr : detail::boxed_type(type_.examples.front());
}

const Tensor& SymbolicNode::example() const {
  check(!type_.examples.empty(), ErrorKind::Graph,
        "expected a symbol of a C++ value, got one of a ", "tensor ", shape_text(meta().shape));
  return type_.examples.front();
}

std::string SymbolicNode::type_text() const {
  const detail::BoxType* type = boxed();
  return type == nullptr ? shape_text(meta().shape) : type->name();
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

std::vector<Ref<SymbolicNode>> SymbolicNode::children() const {
  const std::lock_guard lock(mutex_);
  std::vector<Ref<SymbolicNode>> out;
  for (const auto& [sequence, child] : children_) {
    if (const Ref<Symbol> alive = Ref<Symbol>::if_alive(child)) out.emplace_back(child);
  }
  return out;
}

Tensor SymbolicNode::tensor() {
  Tensor x = meta_tensor(meta());
  x.impl().symbol = Ref<Symbol>(this);
  return x;
}

detail::ForgetSymbols::ForgetSymbols()
    : before_(std::exchange(first_known, next_sequence.load(std::memory_order_relaxed))) {}
detail::ForgetSymbols::~ForgetSymbols() { first_known = before_; }

Tensors SymbolicNode::call(std::shared_ptr<Callable> callable, std::span<const Tensor> in) {
  for (const Tensor& x : in) {
    const SymbolicNode* node = node_or_null(x);
    if (node != nullptr && node->sequence_ < first_known) {
      fail(ErrorKind::Graph, callable->name(), ": ", node->text(),
           " is used by a function or layer in the graph but is not among its arguments; pass it "
           "(a struct names its members, see graph/structure.h)");
    }
  }
  const std::vector<Type> types = detail::infer_types(*callable, in);
  auto made_by = make_ref<SymbolicCall>();
  made_by->callable = std::move(callable);
  made_by->arguments = Tensors(in);
  Tensors out;
  for (size_t i = 0; i < types.size(); ++i) {
    out.push_back(make_ref<SymbolicNode>(types[i], made_by, i)->tensor());
  }
  return out;
}

std::string SymbolicNode::custom_name() const {
  if (call_) return call_->custom_name();
  const std::lock_guard lock(mutex_);
  return name_;
}

void SymbolicNode::set_name(const std::string& name) {
  check(name.find('.') == std::string::npos, ErrorKind::Value,
        "custom_name: expected a name without a dot, got ", name);
  if (call_) return call_->set_custom_name(name);
  const std::lock_guard lock(mutex_);
  name_ = name;
}

std::string SymbolicNode::text() const {
  const char* kind = boxed() == nullptr ? "<SymbolicTensor " : "<Symbolic ";
  return reprise::text(kind, type_text(), "; ", parents().size(), " parents; ", children().size(),
                       " children>");
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
  check(options.min_value <= options.max_value, ErrorKind::Value,
        "Input: expected min_value of at most max_value, got ", options.min_value, " and ",
        options.max_value);
  const Meta meta(full, options.dtype, Device::meta());
  const SymbolicNode::Type type{meta, {}, options.min_value, options.max_value};
  const Tensor x = make_ref<SymbolicNode>(type, nullptr, 0)->tensor();
  return options.name.empty() ? x : custom_name(x, options.name);
}

Tensor detail::custom_input(Tensor box) {
  const Meta meta(box.shape(), box.dtype(), Device::meta());
  return make_ref<SymbolicNode>(SymbolicNode::Type{meta, {std::move(box)}}, nullptr, 0)->tensor();
}

Tensor detail::unbound_symbol(const Tensor& symbol) {
  return make_ref<SymbolicNode>(node_of("", symbol).type(), nullptr, 0)->tensor();
}

SymbolicNode& node_of(std::string_view what, const Tensor& x) {
  SymbolicNode* node = x.defined() ? node_or_null(x) : nullptr;
  check(node != nullptr, ErrorKind::Graph, what, ": expected a symbolic tensor, got ",
        x.defined() ? text(x.dtype(), x.shape()) : std::string("an undefined one"));
  return *node;
}

std::vector<Tensor> parents(const AnySymbolic& x) {
  std::vector<Tensor> out;
  for (SymbolicNode* node : node_of("parents", x.node).parents()) out.push_back(node->tensor());
  return out;
}

std::vector<Tensor> children(const AnySymbolic& x) {
  std::vector<Tensor> out;
  for (const auto& node : node_of("children", x.node).children()) out.push_back(node->tensor());
  return out;
}

std::shared_ptr<Callable> layer(const AnySymbolic& x) {
  const SymbolicCall* call = node_of("layer", x.node).made_by();
  return call == nullptr ? nullptr : call->callable;
}

int depth(const AnySymbolic& x) { return node_of("depth", x.node).depth(); }

std::string display_name(const Callable* callable) {
  if (callable == nullptr) return "Input";
  if (callable->name() == "relu") return "ReLU";  // as the layer writes it
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
