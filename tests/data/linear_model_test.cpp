// How hard SyntheticShapes is: pixels alone must not tell the shapes apart.

#include <gtest/gtest.h>

#include "../../autograd/tape.h"
#include "../../core/ops.h"
#include "../../core/random.h"
#include "../../data/data_loader.h"
#include "../../data/synthetic_shapes.h"
#include "../../layers/linear.h"
#include "../../optim/adam.h"

namespace reprise {
namespace {

DataLoader loader_of(int64_t count, int64_t offset) {
  return DataLoader(std::make_shared<SyntheticShapes>(count, 0, offset),
                    {.batch_size = 100,
                     .shuffle = true,
                     .mean = {0.4F, 0.4F, 0.4F},
                     .std = {0.25F, 0.25F, 0.25F}});
}

/// The share of images whose class the model finds.
double accuracy_of(nn::Linear& model, int64_t count, int64_t offset) {
  const NoGradGuard guard;
  DataLoader loader = loader_of(count, offset);
  int64_t correct = 0;
  for (const auto& [images, labels] : loader) {
    correct += (argmax(model(images.flatten(1)), 1) == labels).sum().item<int64_t>();
  }
  return static_cast<double>(correct) / static_cast<double>(count);
}

/// Multinomial logistic regression, with the weight decay that serves fresh images best.
TEST(LongSyntheticShapes, ALinearModelStaysBelow60Percent) {
  manual_seed(0);
  nn::Linear model(3 * 32 * 32, 10);
  optim::Adam optimizer(model.parameters(), {.lr = 3e-4, .weight_decay = 0.1});
  DataLoader loader = loader_of(10000, 0);
  for (int epoch = 0; epoch < 30; ++epoch) {
    for (const auto& [images, labels] : loader) {
      optimizer.zero_grad();
      cross_entropy(model(images.flatten(1)), labels).backward();
      optimizer.step();
    }
  }
  const double fresh = accuracy_of(model, 2000, 10000), seen = accuracy_of(model, 10000, 0);
  RecordProperty("fresh", std::to_string(fresh));
  EXPECT_GT(seen, 0.3);  // it has learnt what it could
  EXPECT_LT(fresh, 0.6);
}

}  // namespace
}  // namespace reprise
