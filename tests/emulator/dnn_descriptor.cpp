#include "dnn_descriptor.h"

#include <algorithm>

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::emulator {
namespace {

/// What an attribute must be. Of a descriptor: which one.
struct Rule {
  cudnnBackendDescriptorType_t owner;
  cudnnBackendAttributeName_t name;
  cudnnBackendAttributeType_t type;
  int64_t most = 1;
  bool required = true;
  int of = -1;
};

constexpr int kTensor = CUDNN_BACKEND_TENSOR_DESCRIPTOR;
constexpr int64_t kMany = 64;

void add_conv(std::vector<Rule>& rules, cudnnBackendDescriptorType_t type) {
  const DnnConvNames& n = *dnn_conv_names(type);
  rules.push_back({type, n.attributes, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true,
                   CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR});
  for (const auto name : {n.x, n.weight, n.y}) {
    rules.push_back({type, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, true, kTensor});
  }
  for (const auto name : {n.alpha, n.beta}) rules.push_back({type, name, CUDNN_TYPE_FLOAT});
}

std::vector<Rule> make_rules() {
  constexpr auto tensor = CUDNN_BACKEND_TENSOR_DESCRIPTOR;
  constexpr auto conv = CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR;
  constexpr auto pointwise = CUDNN_BACKEND_POINTWISE_DESCRIPTOR;
  constexpr auto operation = CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR;
  constexpr auto graph = CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR;
  constexpr auto heuristics = CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR;
  constexpr auto plan = CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR;
  constexpr auto pack = CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR;
  constexpr auto descriptor = CUDNN_TYPE_BACKEND_DESCRIPTOR;
  std::vector<Rule> rules{
      {tensor, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE},
      {tensor, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, CUDNN_DIM_MAX},
      {tensor, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, CUDNN_DIM_MAX},
      {tensor, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64},
      {tensor, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64},
      {tensor, CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, 1, false},
      {conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE},
      {conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE},
      {conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64},
      {conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, CUDNN_DIM_MAX},
      {conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, CUDNN_DIM_MAX},
      {conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, CUDNN_DIM_MAX},
      {conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, CUDNN_DIM_MAX},
      {pointwise, CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE},
      {pointwise, CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_TYPE_DATA_TYPE},
      {operation, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, descriptor, 1, true, pointwise},
      {operation, CUDNN_ATTR_OPERATION_POINTWISE_XDESC, descriptor, 1, true, tensor},
      {operation, CUDNN_ATTR_OPERATION_POINTWISE_BDESC, descriptor, 1, true, tensor},
      {operation, CUDNN_ATTR_OPERATION_POINTWISE_YDESC, descriptor, 1, true, tensor},
      {graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, descriptor, kMany},
      {graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE},
      {heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, descriptor, 1, true, graph},
      {heuristics, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE},
      {plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, descriptor, 1, true,
       CUDNN_BACKEND_ENGINECFG_DESCRIPTOR},
      {plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE},
      {pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, kMany},
      {pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, kMany},
      {pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR}};
  add_conv(rules, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
  add_conv(rules, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR);
  add_conv(rules, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR);
  return rules;
}

const std::vector<Rule>& rules() {
  static const std::vector<Rule>& all = *new std::vector<Rule>(make_rules());
  return all;
}

size_t bytes_of(cudnnBackendAttributeType_t type) {
  switch (type) {
    case CUDNN_TYPE_INT64: return sizeof(int64_t);
    case CUDNN_TYPE_DOUBLE: return sizeof(double);
    case CUDNN_TYPE_FLOAT: return sizeof(float);
    case CUDNN_TYPE_BOOLEAN: return sizeof(bool);
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_VOID_PTR: return sizeof(void*);
    default: return sizeof(int);  // enumerations
  }
}

size_t element_bytes(const DnnNode& tensor) {
  switch (tensor.one<cudnnDataType_t>(CUDNN_ATTR_TENSOR_DATA_TYPE)) {
    case CUDNN_DATA_DOUBLE: return 8;
    case CUDNN_DATA_FLOAT: return 4;
    default: return 2;
  }
}

bool is_sound_tensor(const DnnNode& t) {
  const auto sizes = t.all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto strides = t.all<int64_t>(CUDNN_ATTR_TENSOR_STRIDES);
  const auto alignment = t.one<int64_t>(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT);
  const auto is_positive = [](int64_t n) { return n > 0; };
  return sizes.size() == strides.size() && std::ranges::all_of(sizes, is_positive) &&
         std::ranges::all_of(strides, is_positive) && alignment > 0 &&
         alignment % static_cast<int64_t>(element_bytes(t)) == 0;
}

bool is_sound_convolution(const DnnNode& c) {
  const auto dims = static_cast<size_t>(c.one<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS));
  const auto fits = [&](cudnnBackendAttributeName_t name, int64_t least) {
    const auto values = c.all<int64_t>(name);
    return values.size() == dims &&
           std::ranges::all_of(values, [&](int64_t v) { return v >= least; });
  };
  return fits(CUDNN_ATTR_CONVOLUTION_DILATIONS, 1) &&
         fits(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 1) &&
         fits(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 0) &&
         fits(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 0);
}

/// The sizes of y follow from the others; groups divide the channels.
bool is_sound_operation(const DnnNode& op, const DnnConvNames& n) {
  const DnnNode& c = op.node(n.attributes);
  const auto x = op.node(n.x).all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto w = op.node(n.weight).all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto y = op.node(n.y).all<int64_t>(CUDNN_ATTR_TENSOR_DIMENSIONS);
  const auto dims = static_cast<size_t>(c.one<int64_t>(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS));
  if (x.size() != dims + 2 || w.size() != dims + 2 || y.size() != dims + 2) return false;
  if (x[1] % w[1] != 0 || w[0] % (x[1] / w[1]) != 0 || y[0] != x[0] || y[1] != w[0]) return false;
  for (size_t d = 0; d < dims; ++d) {
    const auto at = [&](cudnnBackendAttributeName_t name) { return c.all<int64_t>(name)[d]; };
    const int64_t room = x[d + 2] + at(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS) +
                         at(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS) -
                         at(CUDNN_ATTR_CONVOLUTION_DILATIONS) * (w[d + 2] - 1) - 1;
    if (y[d + 2] != room / at(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES) + 1) return false;
  }
  return true;
}

/// One tensor for each number, and a virtual one is written in front of where it is read.
bool is_sound_graph(const DnnNode& graph) {
  std::map<int64_t, const DnnNode*> seen;
  for (const DnnRef& op : graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).nodes) {
    for (const auto& [name, value] : op->attributes) {
      for (const DnnRef& t : value.nodes) {
        if (t->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR) continue;
        const auto [at, is_new] =
            seen.emplace(t->one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID), t.get());
        if (!is_new && at->second != t.get()) return false;
      }
    }
  }
  return !seen.empty();
}

}  // namespace

const DnnConvNames* dnn_conv_names(cudnnBackendDescriptorType_t type) {
  static constexpr DnnConvNames forward{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA};
  static constexpr DnnConvNames data{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                                     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA};
  static constexpr DnnConvNames filter{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                                       CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA};
  switch (type) {
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR: return &forward;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR: return &data;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR: return &filter;
    default: return nullptr;
  }
}

cudnnStatus_t set_attribute(DnnNode& node, cudnnBackendAttributeName_t name,
                            cudnnBackendAttributeType_t type, int64_t count, const void* values) {
  if (node.finalized) return CUDNN_STATUS_NOT_INITIALIZED;
  const auto rule = std::ranges::find_if(
      rules(), [&](const Rule& r) { return r.owner == node.type && r.name == name; });
  if (rule == rules().end()) return CUDNN_STATUS_BAD_PARAM;
  const bool is_factor = rule->type == CUDNN_TYPE_FLOAT && type == CUDNN_TYPE_DOUBLE;
  if (type != rule->type && !is_factor) return CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE;
  if (count < 1 || count > rule->most) return CUDNN_STATUS_BAD_PARAM_OUT_OF_BOUND;
  if (values == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
  DnnValue value;
  if (type == CUDNN_TYPE_BACKEND_DESCRIPTOR) {
    for (int64_t i = 0; i < count; ++i) {
      const auto* other =
          static_cast<const DnnRef*>(static_cast<const cudnnBackendDescriptor_t*>(values)[i]);
      if (other == nullptr) return CUDNN_STATUS_BAD_PARAM_NULL_POINTER;
      if (!(*other)->finalized) return CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED;
      if (rule->of >= 0 && (*other)->type != rule->of)
        return CUDNN_STATUS_BAD_PARAM_DESCRIPTOR_TYPE;
      value.nodes.push_back(*other);
    }
  } else {
    const auto* bytes = static_cast<const std::byte*>(values);
    value.bytes.assign(bytes, bytes + static_cast<size_t>(count) * bytes_of(type));
  }
  node.attributes[name] = std::move(value);
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finalize(DnnNode& node) {
  if (node.finalized) return CUDNN_STATUS_BAD_PARAM;
  for (const Rule& r : rules()) {
    if (r.owner == node.type && r.required && !node.has(r.name)) return CUDNN_STATUS_BAD_PARAM;
  }
  const DnnConvNames* conv = dnn_conv_names(node.type);
  bool sound = true;
  if (node.type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) sound = is_sound_tensor(node);
  if (node.type == CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR) sound = is_sound_convolution(node);
  if (node.type == CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR) sound = is_sound_graph(node);
  if (conv != nullptr) sound = is_sound_operation(node, *conv);
  if (!sound) return CUDNN_STATUS_BAD_PARAM_SHAPE_MISMATCH;
  node.finalized = true;
  return CUDNN_STATUS_SUCCESS;
}

std::map<int64_t, const DnnNode*> tensors_of(const DnnNode& graph) {
  std::map<int64_t, const DnnNode*> tensors;
  for (const DnnRef& op : graph.attributes.at(CUDNN_ATTR_OPERATIONGRAPH_OPS).nodes) {
    for (const auto& [name, value] : op->attributes) {
      for (const DnnRef& t : value.nodes) {
        if (t->type == CUDNN_BACKEND_TENSOR_DESCRIPTOR) {
          tensors.emplace(t->one<int64_t>(CUDNN_ATTR_TENSOR_UNIQUE_ID), t.get());
        }
      }
    }
  }
  return tensors;
}

}  // namespace reprise::emulator

#endif
