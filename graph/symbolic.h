#pragma once
// The symbolic graph: what grows when layers and ops are called on the tensors that `Input` made.
// Nodes are values, edges are layers or functions. Building infers shapes and computes nothing. A
// node keeps its parents alive and knows its children; it dies when nobody holds it or a
// descendant.

#include <optional>
#include <string>
#include <vector>

#include "../core/dispatch.h"

namespace reprise {

struct InputOptions {
  std::optional<int64_t> batch_size = {};  ///< default: unknown, printed as None
  std::optional<Shape> batch_shape = {};   ///< the whole shape with the batch; wins over `shape`
  DType dtype = float32;
};

/// A symbolic tensor [batch, shape...]. Shape error for negative sizes.
REPRISE_API Tensor Input(const Shape& shape, const InputOptions& options = {});

/// One call of a layer or function on the graph; its outputs are nodes.
struct SymbolicCall : RefCounted<SymbolicCall> {
  std::shared_ptr<Callable> callable;
  Tensors arguments;  ///< symbolic ones are parents, others constants; may be undefined
};

class REPRISE_API SymbolicNode final : public Symbol {
 public:
  SymbolicNode(const Meta& meta, Ref<SymbolicCall> call, size_t output);
  ~SymbolicNode() override;

  const Meta& meta() const { return meta_; }
  /// The call that made this value; null for an Input.
  const SymbolicCall* made_by() const { return call_.get(); }
  /// Which of the call's outputs this is.
  size_t output() const { return output_; }
  /// Counts up in the order of creation, so parents come before children.
  uint64_t sequence() const { return sequence_; }
  /// Edges on the longest way from an Input.
  int depth() const { return depth_; }
  std::vector<SymbolicNode*> parents() const;
  const std::vector<SymbolicNode*>& children() const { return children_; }
  /// A tensor on this node.
  Tensor tensor();

  Tensors call(std::shared_ptr<Callable> callable, std::span<const Tensor> in) override;
  std::string text() const override;

 private:
  Meta meta_;
  Ref<SymbolicCall> call_;
  size_t output_;
  uint64_t sequence_;
  int depth_ = 0;
  std::vector<SymbolicNode*> children_;
};

/// The node of a symbolic tensor; Graph error naming `what` for any other tensor.
REPRISE_API SymbolicNode& node_of(std::string_view what, const Tensor& x);

/// The values from which `x` was made, each once, in the order of the arguments.
REPRISE_API std::vector<Tensor> parents(const Tensor& x);
/// The values made from `x` that still exist, in the order of creation.
REPRISE_API std::vector<Tensor> children(const Tensor& x);
/// The layer or function that made `x`; null for an Input.
REPRISE_API std::shared_ptr<Callable> layer(const Tensor& x);
/// Edges on the longest way from an Input to `x`.
REPRISE_API int depth(const Tensor& x);

/// "Conv2d" for a layer, "MaxPool2d" for the function max_pool2d, "Input" for null.
REPRISE_API std::string display_name(const Callable* callable);

/// "(None, 3, 32, 32)"
REPRISE_API std::string shape_text(const Shape& shape);

}  // namespace reprise
