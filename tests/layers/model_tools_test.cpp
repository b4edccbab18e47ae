#include "../../layers/model_tools.h"

#include "../../autograd/tape.h"
#include "../../graph/model.h"
#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

nn::Sequential net(int64_t hidden = 5) {
  return nn::Sequential(nn::Linear(4, hidden), nn::BatchNorm1d(hidden), nn::ReLU(),
                        nn::Linear(hidden, 2));
}

TEST(ModelTools, CountParameters) {
  nn::Sequential model = net();  // 4 5 + 5, 5 + 5, 5 2 + 2
  EXPECT_EQ(nn::num_parameters(model), 25 + 10 + 12);
  EXPECT_EQ(nn::num_parameters(model), model.num_parameters());
  model[0].requires_grad_(false);
  EXPECT_EQ(nn::num_parameters(model, {.trainable_only = true}), 10 + 12);
  EXPECT_EQ(nn::num_parameters(model), 47);
  EXPECT_EQ(nn::num_parameters(nn::ReLU()), 0);
  nn::Linear shared(3, 3);
  const Tensor x = Input({3});
  EXPECT_EQ(nn::num_parameters(SymbolicModel(x, shared(shared(x)))), 12);
}

TEST(ModelTools, ListShapesInOrder) {
  EXPECT_EQ(nn::parameter_shapes(net()), (std::vector<Shape>{{5, 4}, {5}, {5}, {5}, {2, 5}, {2}}));
}

TEST(ModelTools, SimilarModelsHaveTheSameShapesInOrder) {
  EXPECT_TRUE(nn::model_similar(net(), net()));
  EXPECT_FALSE(nn::model_similar(net(), net(6)));
  EXPECT_FALSE(nn::model_similar(nn::Linear(4, 5), net()));
  EXPECT_TRUE(nn::model_similar(nn::ReLU(), nn::Tanh()));
  const nn::Linear a(2, 3), b(3, 2);
  EXPECT_FALSE(nn::model_similar(nn::Sequential(a, b), nn::Sequential(b, a)));
  nn::Sequential wide = net();
  wide.to(float64);
  EXPECT_TRUE(nn::model_similar(net(), wide));
}

TEST(ModelTools, CorrespondingParametersHaveTheSameValues) {
  nn::Sequential a = net(), b = net();
  EXPECT_FALSE(nn::models_have_corresponding_parameters(a, b));
  b.load_state_dict(a.state_dict());
  EXPECT_TRUE(nn::models_have_corresponding_parameters(a, b));
  b.buffers()[0].fill_(7);  // statistics do not count
  EXPECT_TRUE(nn::models_have_corresponding_parameters(a, b));
  EXPECT_FALSE(nn::models_have_corresponding_parameters(a, net(6)));
  {
    const NoGradGuard no_grad;
    b.parameters()[5][1].fill_(1e-3);
  }
  EXPECT_FALSE(nn::models_have_corresponding_parameters(a, b));
  nn::Sequential wide = a.clone();
  EXPECT_TRUE(nn::models_have_corresponding_parameters(a, wide));
  wide.to(float64);
  EXPECT_FALSE(nn::models_have_corresponding_parameters(a, wide));
  const Tensor x = Input({4});
  EXPECT_TRUE(nn::models_have_corresponding_parameters(SymbolicModel(x, a(x)), a));
}

}  // namespace
}  // namespace reprise
