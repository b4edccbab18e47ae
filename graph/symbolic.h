#pragma once
// The symbolic graph: what grows when layers and functions are called on the symbols that `Input`
// and `CustomInput` made. Nodes are values, edges are layers or functions. Building infers shapes
// and computes nothing. A node keeps its parents alive and knows its children; it dies when nobody
// holds it or a descendant. Several threads may build on one graph.

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "boxed.h"

namespace reprise {

struct InputOptions {
  std::optional<int64_t> batch_size = {};  ///< default: unknown, printed as None
  std::optional<Shape> batch_shape = {};   ///< the whole shape with the batch; wins over `shape`
  DType dtype = float32;
  /// A C++ function that reads values of this Input (add_to_graph) is tried on values from this
  /// range; the values of other symbols are drawn from [0, 1].
  double min_value = 0, max_value = 1;
  std::string name = {};  ///< of its row in summaries, in errors and pictures; default Input_1, ...
};

/// A symbolic tensor [batch, shape...]. Shape error for negative sizes, Value error for an empty
/// range.
REPRISE_API Tensor Input(const Shape& shape, const InputOptions& options = {});

template <class T>
class Symbolic;  // a symbol of another C++ type (symbolic_value.h)

/// A symbolic tensor or a Symbolic<T>.
struct AnySymbolic {
  AnySymbolic(const Tensor& x) : node(x) {}
  template <class T>
  AnySymbolic(const Symbolic<T>& x) : node(x.node()) {}
  Tensor node;
};

/// One symbol or several.
struct SymbolicTensors : Tensors {
  SymbolicTensors(const Tensor& one) : Tensors{one} {}
  template <class T>
  SymbolicTensors(const Symbolic<T>& one) : Tensors{one.node()} {}
  SymbolicTensors(std::initializer_list<AnySymbolic> several) {
    for (const AnySymbolic& x : several) push_back(x.node);
  }
  SymbolicTensors(const Tensors& several) : Tensors(several) {}
  SymbolicTensors(const std::vector<Tensor>& several) : Tensors(several) {}
};

/// One call of a layer or function on the graph; its outputs are nodes.
struct REPRISE_API SymbolicCall : RefCounted<SymbolicCall> {
  std::shared_ptr<Callable> callable;
  Tensors arguments;  ///< symbolic ones are parents, others constants; may be undefined

  /// What custom_name gave it; empty when nothing did.
  std::string custom_name() const;
  void set_custom_name(const std::string& name);

 private:
  mutable std::mutex mutex_;
  std::string custom_name_;
};

class REPRISE_API SymbolicNode final : public Symbol {
 public:
  /// What is known of a value before it is there.
  struct Type {
    Meta meta;  ///< of a tensor; kUnknown for a size that follows the batch
    /// Of any other C++ value: boxes with examples, one for each batch size that is tried.
    Tensors examples;
    double min_value = 0, max_value = 1;
  };
  SymbolicNode(Type type, Ref<SymbolicCall> call, size_t output);
  ~SymbolicNode() override;

  const Meta& meta() const { return type_.meta; }
  const Type& type() const { return type_; }
  /// The C++ type of a value that is no tensor; null for a tensor.
  const detail::BoxType* boxed() const;
  /// The box with the first example of such a value. Graph error for a tensor.
  const Tensor& example() const;
  /// "(None, 8, 28, 28)", "std::set<int>"
  std::string type_text() const;
  /// The call that made this value; null for an Input.
  SymbolicCall* made_by() const { return call_.get(); }
  /// Which of the call's outputs this is.
  size_t output() const { return output_; }
  /// Counts up in the order of creation, so parents come before children.
  uint64_t sequence() const { return sequence_; }
  /// Edges on the longest way from an Input.
  int depth() const { return depth_; }
  std::vector<SymbolicNode*> parents() const;
  std::vector<Ref<SymbolicNode>> children() const;
  /// A tensor on this node.
  Tensor tensor();

  Tensors call(std::shared_ptr<Callable> callable, std::span<const Tensor> in) override;
  /// Names the call that made it; an Input has a name of its own.
  void set_name(const std::string& name) override;
  /// What set_name gave; empty when nothing did.
  std::string custom_name() const;
  std::string text() const override;

 private:
  void leave_parents();

  Type type_;
  Ref<SymbolicCall> call_;
  size_t output_;
  uint64_t sequence_;
  int depth_ = 0;
  mutable std::mutex mutex_;
  std::string name_;  // of an Input
  std::map<uint64_t, SymbolicNode*> children_;
};

/// The node of a symbol; Graph error naming `what` for anything else.
REPRISE_API SymbolicNode& node_of(std::string_view what, const Tensor& x);

/// The values from which `x` was made, each once, in the order of the arguments.
REPRISE_API std::vector<Tensor> parents(const AnySymbolic& x);
/// The values made from `x` that still exist, in the order of creation.
REPRISE_API std::vector<Tensor> children(const AnySymbolic& x);
/// The layer or function that made `x`; null for an Input.
REPRISE_API std::shared_ptr<Callable> layer(const AnySymbolic& x);
/// Edges on the longest way from an Input to `x`.
REPRISE_API int depth(const AnySymbolic& x);

/// "Conv2d" for a layer, "MaxPool2d" for the function max_pool2d, "Input" for null.
REPRISE_API std::string display_name(const Callable* callable);

/// "(None, 3, 32, 32)"
REPRISE_API std::string shape_text(const Shape& shape);

namespace detail {

/// The types of what `callable` returns on symbols and constants; sizes that differ between two
/// batch sizes are unknown. Shape errors say which batch sizes were tried.
std::vector<SymbolicNode::Type> infer_types(Callable& callable, std::span<const Tensor> in);

/// While it lives, symbols made before it are unknown to this thread: what runs must not use
/// symbols that it was not given.
class ForgetSymbols {
 public:
  ForgetSymbols();
  ~ForgetSymbols();
  ForgetSymbols(const ForgetSymbols&) = delete;

 private:
  uint64_t before_;
};

/// C++ code that may look at values and is therefore tried on real ones when shapes do not do.
class REPRISE_API CodeCallable : public Callable {};

/// A symbol for the value in `box`, which is its example.
REPRISE_API Tensor custom_input(Tensor box);
/// A symbol of the type of `symbol` that is in no graph.
REPRISE_API Tensor unbound_symbol(const Tensor& symbol);

}  // namespace detail
}  // namespace reprise
