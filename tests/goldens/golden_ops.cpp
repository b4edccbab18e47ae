#include "golden_ops.h"

#include <cmath>

namespace reprise::test {
namespace {

// ---- Attributes
// ------------------------------------------------------------------------------------

Shape shape_of(const Json& list) { return Shape(list.get<std::vector<int64_t>>()); }
Pair pair_of(const Json& list) { return {list[0].get<int64_t>(), list[1].get<int64_t>()}; }
Dims dims_of(const Json& a) {
  if (!a.contains("dim")) return {};
  return a["dim"].is_array() ? Dims(shape_of(a["dim"])) : Dims(a["dim"].get<int64_t>());
}
Scalar scalar_of(const Json& value) {
  return value.is_number_integer() ? Scalar(value.get<int64_t>()) : Scalar(value.get<double>());
}
std::optional<Scalar> optional_scalar(const Json& a, const char* name) {
  return a.contains(name) ? std::optional(scalar_of(a[name])) : std::nullopt;
}
int64_t dim_of(const Json& a) { return a["dim"]; }
Tensor optional(const Tensors& x, size_t i) { return i < x.size() ? x[i] : Tensor(); }
Tensors list(const ValuesIndices& both) { return {both.values, both.indices}; }
Reduction reduction_of(const Json& a) {
  const std::string name = a.value("reduction", "mean");
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

// ---- Functions that need more than a line
// ------------------------------------------------------------

Tensors conv2d_case(const Tensors& x, const Json& a) {
  return {
      conv2d(x[0], x[1], optional(x, 2),
             {pair_of(a["stride"]), pair_of(a["padding"]), pair_of(a["dilation"]), a["groups"]})};
}

/// An image of height 1.
Tensors conv1d_case(const Tensors& x, const Json& a) {
  const Pair stride{1, a.value("stride", int64_t{1})}, padding{0, a.value("padding", int64_t{0})},
      dilation{1, a.value("dilation", int64_t{1})};
  const Tensor y = conv2d(unsqueeze(x[0], 2), unsqueeze(x[1], 2), optional(x, 2),
                          {stride, padding, dilation, a.value("groups", int64_t{1})});
  return {squeeze(y, 2)};
}

Tensors avg_pool2d_case(const Tensors& x, const Json& a) {
  AvgPool2dOptions options{pair_of(a["stride"]), pair_of(a["padding"]), a["ceil_mode"],
                           a["count_include_pad"]};
  if (!a["divisor_override"].is_null()) options.divisor_override = a["divisor_override"];
  return {avg_pool2d(x[0], pair_of(a["kernel_size"]), options)};
}

Tensors max_pool2d_case(const Tensors& x, const Json& a) {
  return list(max_pool2d_with_indices(
      x[0], pair_of(a["kernel_size"]),
      {pair_of(a["stride"]), pair_of(a["padding"]), pair_of(a["dilation"]), a["ceil_mode"]}));
}

Tensors batch_norm_eval_case(const Tensors& x, const Json& a) {
  return {batch_norm(x[0], x[3].detach(), x[4].detach(), x[1], x[2], {.eps = a["eps"]})};
}

Tensors batch_norm_train_case(const Tensors& x, const Json& a) {
  const Tensor mean = x[3].detach().clone(), var = x[4].detach().clone();
  const Tensor y = batch_norm(x[0], mean, var, x[1], x[2],
                              {.training = true, .momentum = a["momentum"], .eps = a["eps"]});
  return {y, mean, var};
}

Tensors cross_entropy_case(const Tensors& x, const Json& a) {
  CrossEntropyOptions options{.ignore_index = a.value("ignore_index", int64_t{-100}),
                              .reduction = reduction_of(a),
                              .label_smoothing = a.value("label_smoothing", 0.0)};
  if (x.size() > 2) options.weight = x[2].detach();
  return {cross_entropy(x[0], x[1], options)};
}

/// torch.chunk: pieces of the size that makes `chunks` of them, the last one smaller.
Tensors chunk_case(const Tensors& x, const Json& a) {
  const int64_t dim = a["dim"], n = x[0].size(dim), chunks = a["chunks"];
  const int64_t size = (n + chunks - 1) / chunks;
  Tensors out;
  for (int64_t i = 0; i < n; i += size) out.push_back(slice(x[0], dim, i, i + size));
  return out;
}

Tensors split_case(const Tensors& x, const Json& a) {
  Tensors out;
  int64_t start = 0;
  for (const int64_t size : shape_of(a["sizes"])) {
    out.push_back(slice(x[0], a["dim"], start, start + size));
    start += size;
  }
  return out;
}

GoldenOp unary(Tensor (*f)(const Tensor&)) {
  return [f](const Tensors& x, const Json&) { return Tensors{f(x[0])}; };
}
GoldenOp binary(Tensor (*f)(const Tensor&, const Tensor&)) {
  return [f](const Tensors& x, const Json&) { return Tensors{f(x[0], x[1])}; };
}
template <class F>
GoldenOp one(F f) {
  return [f](const Tensors& x, const Json& a) { return Tensors{f(x, a)}; };
}

using In = const Tensors&;
using Attrs = const Json&;

std::map<std::string, GoldenOp> elementwise_ops() {
  return {
      {"neg", unary(neg)},
      {"abs", unary(abs)},
      {"exp", unary(exp)},
      {"tanh", unary(tanh)},
      {"sigmoid", unary(sigmoid)},
      {"relu", unary(relu)},
      {"gelu", one([](In x, Attrs a) { return gelu(x[0], a["approximate"].get<std::string>()); })},
      {"sign", unary(sign)},
      {"log", unary(log)},
      {"sqrt", unary(sqrt)},
      {"add", binary(add)},
      {"sub", binary(sub)},
      {"mul", binary(mul)},
      {"div", binary(div)},
      {"pow", binary(pow)},
      {"maximum", binary(maximum)},
      {"minimum", binary(minimum)},
      {"eq", binary(eq)},
      {"ne", binary(ne)},
      {"lt", binary(lt)},
      {"le", binary(le)},
      {"gt", binary(gt)},
      {"ge", binary(ge)},
      {"where", one([](In x, Attrs) { return where(x[0], x[1], x[2]); })},
      {"masked_fill", one([](In x, Attrs a) { return where(x[1], scalar_of(a["value"]), x[0]); })},
      {"clamp", one([](In x, Attrs a) {
         return clamp(x[0], optional_scalar(a, "min"), optional_scalar(a, "max"));
       })},
      {"pow_scalar", one([](In x, Attrs a) { return pow(x[0], scalar_of(a["exponent"])); })},
      {"rpow_scalar", one([](In x, Attrs a) { return pow(scalar_of(a["base"]), x[0]); })},
  };
}

std::map<std::string, GoldenOp> reduce_ops() {
  return {
      {"sum", one([](In x, Attrs a) { return sum(x[0], dims_of(a), a.value("keepdim", false)); })},
      {"mean",
       one([](In x, Attrs a) { return mean(x[0], dims_of(a), a.value("keepdim", false)); })},
      {"max", [](In x, Attrs a) { return list(max(x[0], dim_of(a))); }},
      {"min", [](In x, Attrs a) { return list(min(x[0], dim_of(a))); }},
      {"argmax", one([](In x, Attrs a) { return argmax(x[0], dim_of(a)); })},
      {"argmin", one([](In x, Attrs a) { return argmin(x[0], dim_of(a)); })},
      {"softmax", one([](In x, Attrs a) { return softmax(x[0], dim_of(a)); })},
      {"log_softmax", one([](In x, Attrs a) { return log_softmax(x[0], dim_of(a)); })},
      {"matmul", binary(matmul)},
      {"mm", binary(matmul)},
      {"mv", binary(matmul)},
      {"dot", binary(matmul)},
      {"bmm", binary(matmul)},
      {"linear", one([](In x, Attrs) { return linear(x[0], x[1], optional(x, 2)); })},
  };
}

std::map<std::string, GoldenOp> movement_ops() {
  return {
      {"reshape", one([](In x, Attrs a) { return reshape(x[0], shape_of(a["shape"])); })},
      {"transpose", one([](In x, Attrs a) { return transpose(x[0], a["dim0"], a["dim1"]); })},
      {"permute", one([](In x, Attrs a) { return permute(x[0], shape_of(a["dims"])); })},
      {"t", unary(t)},
      {"expand", one([](In x, Attrs a) { return expand(x[0], shape_of(a["shape"])); })},
      {"slice", one([](In x, Attrs a) {
         return slice(x[0], dim_of(a), a["start"].get<int64_t>(), a["end"].get<int64_t>(),
                      a["step"]);
       })},
      {"select", one([](In x, Attrs a) { return select(x[0], dim_of(a), a["index"]); })},
      {"cat", one([](In x, Attrs a) { return cat(x, dim_of(a)); })},
      {"stack", one([](In x, Attrs a) { return stack(x, dim_of(a)); })},
      {"squeeze", one([](In x, Attrs a) {
         return a.contains("dim") ? squeeze(x[0], dim_of(a)) : squeeze(x[0]);
       })},
      {"unsqueeze", one([](In x, Attrs a) { return unsqueeze(x[0], dim_of(a)); })},
      {"flatten", one([](In x, Attrs a) { return flatten(x[0], a["start_dim"], a["end_dim"]); })},
      {"gather", one([](In x, Attrs a) { return gather(x[0], dim_of(a), x[1]); })},
      {"chunk", chunk_case},
      {"split", split_case},
  };
}

std::map<std::string, GoldenOp> layer_ops() {
  return {
      {"conv2d", conv2d_case},
      {"conv1d", conv1d_case},
      {"max_pool2d", max_pool2d_case},
      {"avg_pool2d", avg_pool2d_case},
      {"batch_norm_eval", batch_norm_eval_case},
      {"batch_norm_train", batch_norm_train_case},
      {"cross_entropy", cross_entropy_case},
      {"mse_loss", one([](In x, Attrs a) { return mse_loss(x[0], x[1], reduction_of(a)); })},
  };
}

}  // namespace

const std::map<std::string, GoldenOp>& golden_ops() {
  static const auto all = [] {
    auto out = elementwise_ops();
    out.merge(reduce_ops());
    out.merge(movement_ops());
    out.merge(layer_ops());
    return out;
  }();
  return all;
}

const std::set<std::string>& missing_ops() {
  static const std::set<std::string> names{
      // elementwise
      "sin", "cos", "erf", "square", "floor", "ceil", "round", "expm1", "rsqrt", "reciprocal",
      "log1p", "leaky_relu", "elu", "silu", "softplus", "hardtanh", "remainder",
      // reduce
      "cumsum", "prod", "median", "logsumexp", "var", "std", "norm",
      // movement
      "flip", "repeat", "pad", "index_select", "scatter_add", "embedding", "tril", "one_hot",
      "upsample",
      // conv, pool, norm, losses
      "conv_transpose2d", "adaptive_avg_pool2d", "layer_norm", "group_norm", "l1_loss",
      "smooth_l1_loss", "huber_loss", "nll_loss", "binary_cross_entropy",
      "binary_cross_entropy_with_logits", "kl_div"};
  return names;
}

}  // namespace reprise::test
