#include "differentiate.h"

namespace reprise {
namespace {

/// What changed in place, when a gradient of `node` came out without data.
[[noreturn]] void fail_changed(const Node& node) {
  const auto report = [&](const Operand& o, std::string_view what, size_t i) {
    check(!o.changed(), ErrorKind::Autograd, node.name(), ": ", what, " ", i, " of shape ",
          o.meta.shape, ", which the gradient needs, was changed in place: saved at version ",
          o.version, ", now at version ", o.saved() ? o.storage->version() : 0,
          "; use the out-of-place form, or clone first");
  };
  for (size_t i = 0; i < node.in.size(); ++i) report(node.in[i], "input", i);
  for (size_t i = 0; i < node.out.size(); ++i) report(node.out[i], "output", i);
  fail(ErrorKind::Internal, node.name(), ": a gradient was made from an operand that is not saved");
}

void check_gradient(const Node& node, const Tensor& g, size_t i) {
  const Meta& meta = node.in[i].meta;
  check(g.shape() == meta.shape && g.dtype() == meta.dtype, ErrorKind::Autograd, node.name(),
        ": expected gradient ", i, " of ", meta.dtype, meta.shape, ", got ", g.dtype(), g.shape());
  if (!g.has_data()) fail_changed(node);
}

Tensors gradients_of(Node& node, const Tensors& gy, std::span<const bool> needs) {
  Tensors in, out;
  for (const Operand& o : node.in) in.push_back(o.unpack(o.history));
  for (const Operand& o : node.out) out.push_back(o.unpack(Ref<History>(&node)));
  Tensors gradients = node.vjp({in, out, gy, needs});
  check(gradients.size() == in.size(), ErrorKind::Autograd, node.name(), ": expected ", in.size(),
        " gradients, got ", gradients.size());
  for (size_t i = 0; i < in.size(); ++i) {
    if (!needs[i]) gradients[i] = Tensor();
    if (gradients[i].defined()) check_gradient(node, gradients[i], i);
  }
  return gradients;
}

}  // namespace

Tensors differentiate(Node& node, const Tensors& gy, std::span<const bool> needs) {
  const detail::Scope scope(node.scope);
  try {
    return gradients_of(node, gy, needs);
  } catch (Error& error) {
    if (node.scope && !error.has_path()) error.prepend(to_string(*node.scope));
    throw;
  }
}

}  // namespace reprise
