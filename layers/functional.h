#pragma once
// nn::functional: the functions behind the layers under the names PyTorch users look for.

#include "../core/ops.h"

namespace reprise::nn::functional {

using reprise::AvgPool2dOptions;
using reprise::BatchNormOptions;
using reprise::Conv2dOptions;
using reprise::CrossEntropyOptions;
using reprise::MaxPool2dOptions;
using reprise::Reduction;

using reprise::avg_pool2d;
using reprise::batch_norm;
using reprise::conv2d;
using reprise::cross_entropy;
using reprise::dropout;
using reprise::gelu;
using reprise::linear;
using reprise::log_softmax;
using reprise::max_pool2d;
using reprise::max_pool2d_with_indices;
using reprise::mse_loss;
using reprise::relu;
using reprise::sigmoid;
using reprise::softmax;
using reprise::tanh;

}  // namespace reprise::nn::functional
