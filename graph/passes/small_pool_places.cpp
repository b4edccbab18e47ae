// Max pooling keeps the places of its values for the gradient alone: a byte each, within the
// window, tells as much as an index into the image.

#include <algorithm>

#include "../../core/model.h"
#include "../../core/ops/fused_pool.h"
#include "passes.h"

namespace reprise::passes {
namespace {

bool fits_bytes(const MaxPool2d& pool) {
  const Pair kernel = pool.kernel_size;
  return kernel.h * kernel.w <= kMostWindowPlaces && pool.dilation == Pair(1);
}

class PlaceShrinker {
 public:
  explicit PlaceShrinker(Graph graph)
      : graph_(std::move(graph)), uses_(graph_), shared_(graph_.values.size()) {
    for (size_t id = 0; id < graph_.values.size(); ++id) {
      const auto root = static_cast<size_t>(graph_.values[id].root);
      if (root != id) shared_[root] = true;
    }
  }

  Graph shrunk() {
    for (Call& call : graph_.code) {
      const auto* pool = as<MaxPool2d>(*call.op);
      if (pool == nullptr || !fits_bytes(*pool) || !feeds_gradients_alone(call, *pool)) continue;
      shrink(call, FusedMaxPool2d{*pool});
    }
    return std::move(graph_);
  }

 private:
  /// Whether the indices are read by the gradients of `pool`, and by nothing else.
  bool feeds_gradients_alone(const Call& call, const MaxPool2d& pool) const {
    const ValueId indices = call.out[1];
    const Shape& x = graph_.meta(call.in[0]).shape;
    const MaxPool2dGrad expected{pool, {x[2], x[3]}};
    const auto is_gradient = [&](int32_t reader) {
      if (static_cast<size_t>(reader) == graph_.code.size()) return false;
      const auto* grad = as<MaxPool2dGrad>(*graph_.code[static_cast<size_t>(reader)].op);
      return grad != nullptr && grad->tie() == expected.tie();
    };
    return !shared_[static_cast<size_t>(indices)] &&
           std::ranges::all_of(uses_.of(indices), is_gradient);
  }

  void shrink(Call& pool, const FusedMaxPool2d& op) {
    const ValueId indices = pool.out[1];
    for (int32_t reader : uses_.of(indices)) {
      Call& call = graph_.code[static_cast<size_t>(reader)];
      call.op = Model(FusedMaxPool2dGrad{op, as<MaxPool2dGrad>(*call.op)->size}).keep();
    }
    Meta& meta = graph_.values[static_cast<size_t>(indices)].meta;
    meta.dtype = uint8;
    pool.op = Model(op).keep();
  }

  Graph graph_;
  Uses uses_;
  std::vector<bool> shared_;  // by value: whether others live in its memory
};

}  // namespace

Graph small_pool_places(Graph graph) { return PlaceShrinker(std::move(graph)).shrunk(); }

}  // namespace reprise::passes
