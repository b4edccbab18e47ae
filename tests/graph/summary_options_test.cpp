// summary() with options: nested rows, more columns, a width; and what the tape keeps, compared
// with the memory that a real call leaves in use.

#include <gtest/gtest.h>

#include <sstream>

#include "../../autograd/function.h"
#include "../../core/allocator.h"
#include "../../core/random.h"
#include "../../graph/add_to_graph.h"
#include "../../graph/summary_tree.h"
#include "example_models.h"

namespace reprise {
namespace {

std::string error_of(const SymbolicModel& model, const SummaryOptions& options) {
  try {
    model.summary(options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// A model with a nested one and a Sequential within a Sequential, partly frozen.
SymbolicModel nested() {
  const Tensor x = Input({4}), inputs = Input({4});
  nn::Linear frozen(4, 3);
  frozen.requires_grad_(false);
  const SymbolicModel inner(x, nn::ReLU()(nn::Linear(3, 3)(frozen(x))));
  const nn::Sequential head(nn::Linear(3, 2), nn::Sequential(nn::Linear(2, 2), nn::Tanh()));
  return SymbolicModel(inputs, {inner(inputs), head(inner(inputs) + 1)});
}

TEST(SummaryOptions, NestedRowsStandBelowTheirs) {
  EXPECT_EQ("\n" + nested().summary({.expand_nested = true, .dtype = true, .trainable = true}), R"(
__________________________________________________________________________________
            Layer             Output shape   DType     Params   Trainable   Parent
==================================================================================
1           Input_1           (None, 4)      float32   0
2*          SymbolicModel_1   (None, 3)      float32   27       partly      1
  2.1         Linear_1        (None, 3)      float32   15       no          1
  2.2         Linear_2        (None, 3)      float32   12       yes         2.1
  2.3         ReLU_1          (None, 3)      float32   0                    2.2
3           SymbolicModel_2   (None, 3)      float32   27       partly      1
  3.1         Linear_1        (None, 3)      float32   15       no          1
  3.2         Linear_2        (None, 3)      float32   12       yes         3.1
  3.3         ReLU_1          (None, 3)      float32   0                    3.2
4           Add_1             (None, 3)      float32   0                    3
5*          Sequential_1      (None, 2)      float32   14       yes         4
  5.1         Linear_1        (None, 2)      float32   8        yes         4
  5.2         Sequential_1    (None, 2)      float32   6        yes         5.1
    5.2.1       Linear_1      (None, 2)      float32   6        yes         5.1
    5.2.2       Tanh_1        (None, 2)      float32   0                    5.2.1
==================================================================================
Total params: 41
Trainable params: 26
Non-trainable params: 15
__________________________________________________________________________________
)");
}

TEST(SummaryOptions, MemoryOfEveryRow) {
  EXPECT_EQ("\n" + nested().summary({.expand_nested = true, .memory = true, .batch_size = 16}), R"(
________________________________________________________________________________________________________
            Layer             Output shape   Params   Param memory   Activations   For backward   Parent
========================================================================================================
1           Input_1           (None, 4)      0        0 B            256 B         0 B
2*          SymbolicModel_1   (None, 3)      27       108 B          192 B         384 B          1
  2.1         Linear_1        (None, 3)      15       60 B           192 B         0 B            1
  2.2         Linear_2        (None, 3)      12       48 B           192 B         192 B          2.1
  2.3         ReLU_1          (None, 3)      0        0 B            192 B         192 B          2.2
3           SymbolicModel_2   (None, 3)      27       108 B          192 B         384 B          1
  3.1         Linear_1        (None, 3)      15       60 B           192 B         0 B            1
  3.2         Linear_2        (None, 3)      12       48 B           192 B         192 B          3.1
  3.3         ReLU_1          (None, 3)      0        0 B            192 B         192 B          3.2
4           Add_1             (None, 3)      0        0 B            192 B         0 B            3
5*          Sequential_1      (None, 2)      14       56 B           128 B         448 B          4
  5.1         Linear_1        (None, 2)      8        32 B           128 B         192 B          4
  5.2         Sequential_1    (None, 2)      6        24 B           128 B         256 B          5.1
    5.2.1       Linear_1      (None, 2)      6        24 B           128 B         128 B          5.1
    5.2.2       Tanh_1        (None, 2)      0        0 B            128 B         128 B          5.2.1
========================================================================================================
Total params: 41
Trainable params: 26
Non-trainable params: 15
Parameter memory: 164 B
Activations: 960 B
Kept for backward: 1.2 KiB
________________________________________________________________________________________________________
)");
}

TEST(SummaryOptions, AnExpandedModelKeepsAsMuchAsItsRow) {
  for (const bool expand : {false, true}) {
    const std::string table = nested().summary({.expand_nested = expand, .memory = true});
    EXPECT_NE(table.find("Kept for backward: 76 B"), std::string::npos) << table;
  }
}

TEST(SummaryOptions, AStreamGetsTheTable) {
  std::ostringstream out;
  const std::string table = nested().summary({.stream = &out});
  EXPECT_EQ(out.str(), table);
  EXPECT_EQ(table, nested().summary());
}

// ---- Width
// ------------------------------------------------------------------------------------

size_t characters(const std::string& line) {
  size_t count = 0;
  for (const char c : line) count += (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
  return count;
}

size_t widest_line(const std::string& table) {
  std::istringstream lines(table);
  size_t widest = 0;
  for (std::string line; std::getline(lines, line);) widest = std::max(widest, characters(line));
  return widest;
}

TEST(SummaryOptions, TextsAreShortenedToTheWidth) {
  const test::ConvClassifier models;
  EXPECT_EQ("\n" + models.extractor.summary({.width = 40}), R"(
________________________________________
     Layer     Output…   Params   Parent
========================================
1    Input_1   (None,…   0
2    Conv2d…   (None,…   80       1
3    ReLU_1    (None,…   0        2
4    Conv2d…   (None,…   584      3
5    ReLU_2    (None,…   0        4
6    Conv2d…   (None,…   584      5
7*   ReLU_3    (None,…   0        6
========================================
Total params: 1248
Trainable params: 1248
Non-trainable params: 0
________________________________________
)");
  for (int64_t width = 30; width < 100; ++width) {
    const std::string table = models.extractor.summary({.width = width});
    EXPECT_LE(widest_line(table), static_cast<size_t>(width));
    EXPECT_EQ(table == models.extractor.summary(), width >= 51);
  }
}

TEST(SummaryOptions, AWidthThatIsNotPossibleGivesTheNarrowestTable) {
  const SymbolicModel model = test::ConvClassifier().extractor;
  EXPECT_EQ(model.summary({.width = 1}), model.summary({.width = 26}));
  EXPECT_EQ(widest_line(model.summary({.width = 1})), 26u);
}

TEST(SummaryOptions, ALetterIsNotCutInTwo) {
  const Tensor x = Input({2});
  const SymbolicModel model(x, nn::Linear(2, 2)(x, custom_name("schöne_größe")));
  for (const auto& [width, expected] : {std::pair(38, " schön…"), std::pair(36, " schö…")}) {
    const std::string table = model.summary({.width = width});
    EXPECT_NE(table.find(expected), std::string::npos) << table;
    EXPECT_EQ(widest_line(table), static_cast<size_t>(width));
  }
}

// ---- Edges
// ------------------------------------------------------------------------------------

TEST(SummaryOptions, AModelOfOneRow) {
  const Tensor x = Input({3}, {.dtype = int64});
  EXPECT_EQ("\n" + SymbolicModel(x, x).summary({.dtype = true, .trainable = true, .memory = true}),
            R"(
_____________________________________________________________________________________________________________
     Layer     Output shape   DType   Params   Trainable   Param memory   Activations   For backward   Parent
=============================================================================================================
1*   Input_1   (None, 3)      int64   0                    0 B            24 B          0 B
=============================================================================================================
Total params: 0
Trainable params: 0
Non-trainable params: 0
Parameter memory: 0 B
Activations: 24 B
Kept for backward: 0 B
_____________________________________________________________________________________________________________
)");
}

TEST(SummaryOptions, IntegerInputs) {
  const Tensor x = Input({3}), index = Input({2}, {.dtype = int64});
  const Tensor hidden = nn::Linear(3, 4)(x);
  const SymbolicModel model({x, index}, gather(hidden, 1, index));
  EXPECT_EQ("\n" + model.summary({.dtype = true, .memory = true, .batch_size = 2}), R"(
____________________________________________________________________________________________________
     Layer      Output shape   DType     Params   Param memory   Activations   For backward   Parent
====================================================================================================
1    Input_1    (None, 3)      float32   0        0 B            24 B          0 B
2    Input_2    (None, 2)      int64     0        0 B            32 B          0 B
3    Linear_1   (None, 4)      float32   16       64 B           32 B          24 B           1
4*   Gather_1   (None, 2)      float32   0        0 B            16 B          32 B           3,2
====================================================================================================
Total params: 16
Trainable params: 16
Non-trainable params: 0
Parameter memory: 64 B
Activations: 104 B
Kept for backward: 56 B
____________________________________________________________________________________________________
)");
}

TEST(SummaryOptions, ValuesOfOtherTypesAndCodeThatIsNotRun) {
  const Tensor x = Input({4});
  int runs = 0;
  const auto code = [&runs](const Tensor& t) {
    ++runs;
    return std::pair(t * 2, t.dim());
  };
  const Tensor hidden = nn::Linear(4, 4)(x);
  const auto [y, dim] = add_to_graph(code, hidden, custom_name("code"));
  const SymbolicModel model(x, {nn::Linear(4, 4)(relu(y)), dim});
  runs = 0;
  EXPECT_EQ("\n" + model.summary({.dtype = true, .memory = true}), R"(
____________________________________________________________________________________________________
     Layer      Output shape   DType     Params   Param memory   Activations   For backward   Parent
====================================================================================================
1    Input_1    (None, 4)      float32   0        0 B            16 B          0 B
2    Linear_1   (None, 4)      float32   20       80 B           16 B          16 B           1
3    code       (None, 4)      float32   0        0 B            16 B          ?              2
4*   code       int                      0        0 B            0 B           0 B            2
5    ReLU_1     (None, 4)      float32   0        0 B            16 B          16 B           3
6*   Linear_2   (None, 4)      float32   20       80 B           16 B          0 B            5
====================================================================================================
Total params: 40
Trainable params: 40
Non-trainable params: 0
Parameter memory: 160 B
Activations: 80 B
Kept for backward: at least 32 B
____________________________________________________________________________________________________
)");
  EXPECT_EQ(runs, 0);
}

TEST(SummaryOptions, WithoutGradientsNothingIsKept) {
  SymbolicModel model = test::toy_resnet();
  model.requires_grad_(false);
  EXPECT_NE(model.summary({.memory = true}).find("Kept for backward: 0 B"), std::string::npos);
}

TEST(SummaryOptions, AsksForItsOwnGradMode) {
  const SymbolicModel model = nested();
  const std::string table = model.summary({.memory = true});
  const NoGradGuard guard;
  EXPECT_EQ(model.summary({.memory = true}), table);
}

TEST(SummaryOptions, ErrorsNameWhatIsWrong) {
  const SymbolicModel model = nested();
  EXPECT_EQ(error_of(model, {.width = -1}), "summary: expected a width of 0 or more, got -1");
  EXPECT_EQ(error_of(model, {.batch_size = 0}), "summary: expected a positive batch size, got 0");
  const Tensor x = Input({3});
  const SymbolicModel norm(x, nn::BatchNorm1d(3)(x));
  EXPECT_EQ(error_of(norm, {.memory = true, .batch_size = 2}), "");
  EXPECT_EQ(error_of(norm, {.memory = true}).substr(0, 14), "BatchNorm1d_1:");
}

// ---- Against real memory
// ------------------------------------------------------------------------------------

struct Case {
  const char* name;
  SymbolicModel model;
  bool expand = false;
};

SymbolicModel with_everything() {
  const Tensor inputs = Input({3, 16, 16});
  Tensor x = nn::Conv2d(3, 8, 3, {.padding = 1})(inputs)(nn::BatchNorm2d(8))(nn::ReLU());
  x = nn::Conv2d(8, 8, 3, {.groups = 4})(x)(nn::Tanh())(nn::Dropout(0.3)) * 0.5;
  x = nn::MaxPool2d(2)(x) + nn::AvgPool2d(2)(x).abs();
  x = nn::Flatten()(x)(nn::BatchNorm1d(392))(nn::Sigmoid());
  const Tensor y = log_softmax(nn::Linear(392, 10)(x), 1);
  return SymbolicModel(inputs, cat({y, y.exp(), x.slice(1, 0, 7)}, 1));
}

std::vector<Case> cases() {
  return {
      {"toy_resnet", test::toy_resnet()},
      {"net", test::net()},
      {"two_images", test::two_images()},
      {"image_and_vector", test::image_and_vector()},
      {"difference", test::feature_difference(test::ConvClassifier().extractor)},
      {"difference, expanded", test::feature_difference(test::ConvClassifier().extractor), true},
      {"nested, expanded", nested(), true},
      {"with_everything", with_everything()}};
}

Tensors inputs_of(const SymbolicModel& model, int64_t batch) {
  Tensors in;
  for (Shape shape : model.input_shapes()) {
    shape[0] = batch;
    in.push_back(randn(shape));
  }
  return in;
}

/// What is in use after a call, besides the sums of the outputs: inputs and outputs are given up.
int64_t really_kept(SymbolicModel model, int64_t batch) {
  model.call(inputs_of(model, batch));
  const int64_t before = memory_stats().in_use;
  Tensors sums;
  for (const Tensor& y : model.call(inputs_of(model, batch))) sums.push_back(y.sum());
  return memory_stats().in_use - before - 4 * static_cast<int64_t>(sums.size());
}

int64_t predicted(const Case& c, int64_t batch) {
  auto model = std::make_shared<SymbolicModel>(c.model);
  detail::SummaryTree tree = detail::make_summary_tree({model, &model->plan()}, c.expand);
  detail::measure_kept(tree, batch);
  int64_t bytes = 0;
  for (const detail::KeptBytes& kept : tree.kept) {
    EXPECT_TRUE(kept.exact);
    bytes += kept.bytes;
  }
  return bytes;
}

TEST(KeptMemory, IsToTheByteWhatARealCallLeavesInUse) {
  for (const Case& c : cases()) {
    for (const int64_t batch : {2, 5, 16}) {
      EXPECT_EQ(predicted(c, batch), really_kept(c.model, batch)) << c.name << " " << batch;
    }
  }
}

TEST(KeptMemory, MeasuringLeavesTheModelAndTheGeneratorAlone) {
  const SymbolicModel model = with_everything();
  std::vector<std::vector<double>> before;
  for (const auto& [name, value] : model.state_dict())
    before.push_back(value.to(float64).to_vector<double>());
  manual_seed(7);
  const double expected = rand({1}).item<float>();
  manual_seed(7);
  model.summary({.expand_nested = true, .memory = true, .batch_size = 4});
  EXPECT_EQ(rand({1}).item<float>(), expected);
  size_t i = 0;
  for (const auto& [name, value] : model.state_dict()) {
    EXPECT_EQ(value.to(float64).to_vector<double>(), before[i++]) << name;
    EXPECT_FALSE(value.is_traced());
  }
  for (const Tensor& p : model.parameters()) EXPECT_FALSE(p.grad().defined());
}

TEST(KeptMemory, NothingIsAllocatedForIt) {
  const SymbolicModel model = test::toy_resnet();
  reset_peak_memory_stats();
  const int64_t before = memory_stats().in_use;
  model.summary({.memory = true, .batch_size = 1'000'000});
  EXPECT_LT(memory_stats().peak - before, 1 << 20);
}

TEST(KeptMemory, FollowsTheModesOfTheLayers) {
  const Tensor x = Input({100});
  SymbolicModel model(x, nn::Dropout(0.5)(nn::ReLU()(nn::Linear(100, 100)(x))));
  const auto kept = [&] {
    const std::string table = model.summary({.memory = true});
    return table.substr(table.find("Kept"));
  };
  const std::string training = kept();
  model.eval();
  EXPECT_NE(kept(), training);
}

TEST(KeptMemory, ACompiledModelIsMeasuredLayerByLayer) {
  SymbolicModel model = test::net();
  const std::string table = model.summary({.memory = true});
  model.compile();
  EXPECT_EQ(model.summary({.memory = true}), table);
}

/// x * x with a gradient of its own.
struct Square {
  static constexpr std::string_view name = "square";
  Tensor forward(Context& ctx, const Tensor& x) const {
    ctx.save_for_backward({x});
    return x * x;
  }
  Tensors backward(const Context& ctx, const Tensors& gy) const {
    return {gy[0] * 2 * ctx.saved_tensors()[0]};
  }
};

TEST(KeptMemory, CustomFunctionsKeepWhatTheySave) {
  const Tensor x = Input({4});
  const Tensor y = apply(Square{}, nn::Linear(4, 25)(x));
  const std::string table = SymbolicModel(x, y).summary({.memory = true});
  EXPECT_NE(table.find("Kept for backward: 116 B"), std::string::npos) << table;  // 16 + 100
}

}  // namespace
}  // namespace reprise
