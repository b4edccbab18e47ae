#pragma once
// Well-known models, each built by calling layers on symbols. Batches of images [N, C, H, W] go in,
// logits [N, classes] come out, unless something else is said. Layers start as PyTorch's do.

#include <reprise/reprise.h>

namespace models {

using reprise::Shape;
using reprise::SymbolicModel;

/// He et al. 2015, "Deep Residual Learning for Image Recognition", for CIFAR: basic blocks, and
/// projections where the shape changes (option B; with the paper's A there are 2752 parameters
/// less). depth = 6 n + 2: 20, 32, 44, 56, 110. Value error for another one.
SymbolicModel resnet(int depth, const Shape& image = {3, 32, 32}, int64_t classes = 10);

/// He et al. 2016, "Identity Mappings in Deep Residual Networks", for CIFAR: bottlenecks with norm
/// and activation before each convolution. depth = 9 n + 2: 164, 1001. Value error for another one.
SymbolicModel preact_resnet(int depth, const Shape& image = {3, 32, 32}, int64_t classes = 10);

/// Zagoruyko & Komodakis 2016, "Wide Residual Networks": basic blocks as above, `width` times as
/// wide, with dropout inside. depth = 6 n + 4: 16, 28, 40. Value error for another one.
SymbolicModel wide_resnet(int depth, int64_t width, double dropout = 0,
                          const Shape& image = {3, 32, 32}, int64_t classes = 10);

/// Simonyan & Zisserman 2014, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
/// with batch norm (Ioffe & Szegedy 2015) and one linear layer at the end, as is usual for CIFAR.
/// depth: 11, 13, 16 or 19, else a Value error. Images of at least 32 x 32.
SymbolicModel vgg(int depth, const Shape& image = {3, 32, 32}, int64_t classes = 10);

/// Koch et al. 2015, "Siamese Neural Networks for One-shot Image Recognition", in small: two images
/// go through one encoder; out comes the probability [N, 1] that they show the same.
SymbolicModel siamese(const Shape& image = {1, 28, 28});

/// A photo of a house [N, 3, 32, 32] and facts about it [N, 8]; its price [N, 1] and logits
/// [N, 5] of its style.
SymbolicModel house();

/// Two models that share their weights: train `model`, and `features` [N, 64] are learned.
struct Classifier {
  SymbolicModel model, features;
};
Classifier classifier(const Shape& image = {3, 32, 32}, int64_t classes = 10);

/// A new last layer on what another model sees in images, to be trained alone: the features no
/// longer require gradients, wherever they are shared.
SymbolicModel transfer(SymbolicModel features, int64_t classes);

}  // namespace models
