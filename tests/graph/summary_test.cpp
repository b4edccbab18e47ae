// summary(): whole tables, their numbers worked out by hand.

#include <gtest/gtest.h>

#include "example_models.h"

namespace reprise {
namespace {

TEST(Summary, ToyResNet) {
  EXPECT_EQ("\n" + test::toy_resnet().summary(), R"(
________________________________________________________
      Layer         Output shape         Params   Parent
========================================================
1     Input_1       (None, 3, 32, 32)    0
2     Conv2d_1      (None, 32, 30, 30)   896      1
3     ReLU_1        (None, 32, 30, 30)   0        2
4     Conv2d_2      (None, 64, 28, 28)   18496    3
5     ReLU_2        (None, 64, 28, 28)   0        4
6     MaxPool2d_1   (None, 64, 9, 9)     0        5
7     Conv2d_3      (None, 64, 9, 9)     36928    6
8     ReLU_3        (None, 64, 9, 9)     0        7
9     Conv2d_4      (None, 64, 9, 9)     36928    8
10    ReLU_4        (None, 64, 9, 9)     0        9
11    Add_1         (None, 64, 9, 9)     0        10,6
12    Conv2d_5      (None, 64, 9, 9)     36928    11
13    ReLU_5        (None, 64, 9, 9)     0        12
14    Conv2d_6      (None, 64, 9, 9)     36928    13
15    ReLU_6        (None, 64, 9, 9)     0        14
16    Add_2         (None, 64, 9, 9)     0        15,11
17    Conv2d_7      (None, 64, 7, 7)     36928    16
18    ReLU_7        (None, 64, 7, 7)     0        17
19    AvgPool2d_1   (None, 64, 1, 1)     0        18
20    Flatten_1     (None, 64)           0        19
21    Linear_1      (None, 256)          16640    20
22    ReLU_8        (None, 256)          0        21
23    Dropout_1     (None, 256)          0        22
24*   Linear_2      (None, 10)           2570     23
========================================================
Total params: 223242
Trainable params: 223242
Non-trainable params: 0
________________________________________________________
)");
}

TEST(Summary, ThreeLinearLayersAndAClassifier) {
  const Tensor inputs = Input({784});
  Tensor x = nn::Linear(784, 100)(inputs);
  x = nn::Linear(100, 100)(x);
  x = nn::Linear(100, 100)(x);
  EXPECT_EQ("\n" + SymbolicModel(inputs, nn::Linear(100, 10)(x)).summary(), R"(
______________________________________________
     Layer      Output shape   Params   Parent
==============================================
1    Input_1    (None, 784)    0
2    Linear_1   (None, 100)    78500    1
3    Linear_2   (None, 100)    10100    2
4    Linear_3   (None, 100)    10100    3
5*   Linear_4   (None, 10)     1010     4
==============================================
Total params: 99710
Trainable params: 99710
Non-trainable params: 0
______________________________________________
)");
}

TEST(Summary, FourConvolutions) {
  const Tensor inputs = Input({3, 128, 128});
  Tensor x = inputs;
  for (const int64_t channels : {16, 32, 64, 64}) {
    x = nn::Conv2d(x.C(), channels, 3)(x)(nn::MaxPool2d(2))(nn::ReLU());
  }
  x = nn::Flatten()(x);
  EXPECT_EQ("\n" + SymbolicModel(inputs, nn::Linear(x.features(), 10)(x)).summary(), R"(
__________________________________________________________
      Layer         Output shape           Params   Parent
==========================================================
1     Input_1       (None, 3, 128, 128)    0
2     Conv2d_1      (None, 16, 126, 126)   448      1
3     MaxPool2d_1   (None, 16, 63, 63)     0        2
4     ReLU_1        (None, 16, 63, 63)     0        3
5     Conv2d_2      (None, 32, 61, 61)     4640     4
6     MaxPool2d_2   (None, 32, 30, 30)     0        5
7     ReLU_2        (None, 32, 30, 30)     0        6
8     Conv2d_3      (None, 64, 28, 28)     18496    7
9     MaxPool2d_3   (None, 64, 14, 14)     0        8
10    ReLU_3        (None, 64, 14, 14)     0        9
11    Conv2d_4      (None, 64, 12, 12)     36928    10
12    MaxPool2d_4   (None, 64, 6, 6)       0        11
13    ReLU_4        (None, 64, 6, 6)       0        12
14    Flatten_1     (None, 2304)           0        13
15*   Linear_1      (None, 10)             23050    14
==========================================================
Total params: 83562
Trainable params: 83562
Non-trainable params: 0
__________________________________________________________
)");
}

TEST(Summary, ASharedLayerCountsOnceAndFrozenOnesApart) {
  const Tensor a = Input({4}, {.batch_size = 5}), b = Input({4}, {.batch_size = 5});
  nn::Linear shared(4, 4);
  const Tensor left = shared(a), right = shared(b), both = left + right;
  const SymbolicModel model({a, b}, {nn::Linear(4, 2)(both), both});
  shared.requires_grad_(false);
  EXPECT_EQ("\n" + model.summary(), R"(
______________________________________________
     Layer      Output shape   Params   Parent
==============================================
1    Input_1    (5, 4)         0
2    Input_2    (5, 4)         0
3    Linear_1   (5, 4)         20       1
4    Linear_2   (5, 4)         20       2
5*   Add_1      (5, 4)         0        3,4
6*   Linear_3   (5, 2)         10       5
==============================================
Total params: 30
Trainable params: 10
Non-trainable params: 20
______________________________________________
)");
}

TEST(Summary, NestedModelsAreOneRow) {
  const Tensor x = Input({4}), inputs = Input({4});
  const SymbolicModel inner(x, nn::ReLU()(nn::Linear(4, 3)(x)));
  const nn::Sequential head(nn::Linear(3, 2), nn::Softmax(1));
  EXPECT_EQ("\n" + SymbolicModel(inputs, head(inner(inputs))).summary(), R"(
_____________________________________________________
     Layer             Output shape   Params   Parent
=====================================================
1    Input_1           (None, 4)      0
2    SymbolicModel_1   (None, 3)      15       1
3*   Sequential_1      (None, 2)      8        2
=====================================================
Total params: 23
Trainable params: 23
Non-trainable params: 0
_____________________________________________________
)");
}

TEST(Summary, AClassifierAndItsFeatureExtractor) {
  const test::ConvClassifier models;
  EXPECT_EQ("\n" + models.classifier.summary(), R"(
____________________________________________________
     Layer       Output shape        Params   Parent
====================================================
1    Input_1     (None, 1, 28, 28)   0
2    Conv2d_1    (None, 8, 28, 28)   80       1
3    ReLU_1      (None, 8, 28, 28)   0        2
4    Conv2d_2    (None, 8, 28, 28)   584      3
5    ReLU_2      (None, 8, 28, 28)   0        4
6    Conv2d_3    (None, 8, 28, 28)   584      5
7    ReLU_3      (None, 8, 28, 28)   0        6
8    Flatten_1   (None, 6272)        0        7
9*   Linear_1    (None, 10)          62730    8
====================================================
Total params: 63978
Trainable params: 63978
Non-trainable params: 0
____________________________________________________
)");
  EXPECT_EQ("\n" + models.extractor.summary(), R"(
___________________________________________________
     Layer      Output shape        Params   Parent
===================================================
1    Input_1    (None, 1, 28, 28)   0
2    Conv2d_1   (None, 8, 28, 28)   80       1
3    ReLU_1     (None, 8, 28, 28)   0        2
4    Conv2d_2   (None, 8, 28, 28)   584      3
5    ReLU_2     (None, 8, 28, 28)   0        4
6    Conv2d_3   (None, 8, 28, 28)   584      5
7*   ReLU_3     (None, 8, 28, 28)   0        6
===================================================
Total params: 1248
Trainable params: 1248
Non-trainable params: 0
___________________________________________________
)");
}

TEST(Summary, AModelUsedTwiceCountsOnce) {
  EXPECT_EQ("\n" + test::feature_difference(test::ConvClassifier().extractor).summary(), R"(
__________________________________________________________
     Layer             Output shape        Params   Parent
==========================================================
1    Input_1           (None, 1, 28, 28)   0
2    Input_2           (None, 1, 28, 28)   0
3    Input_3           (None, 1, 28, 28)   0
4    SymbolicModel_1   (None, 8, 28, 28)   1248     1
5    Add_1             (None, 1, 28, 28)   0        2,3
6    SymbolicModel_2   (None, 8, 28, 28)   1248     5
7    Sub_1             (None, 8, 28, 28)   0        4,6
8    Pow_1             (None, 8, 28, 28)   0        7
9*   Sum_1             (None,)             0        8
==========================================================
Total params: 1248
Trainable params: 1248
Non-trainable params: 0
__________________________________________________________
)");
}

TEST(Summary, AnImageAndAVector) {
  EXPECT_EQ("\n" + test::image_and_vector().summary(), R"(
________________________________________________________
      Layer         Output shape         Params   Parent
========================================================
1     Input_1       (None, 3, 32, 32)    0
2     Input_2       (None, 64)           0
3     Conv2d_1      (None, 16, 30, 30)   448      1
4     MaxPool2d_1   (None, 16, 10, 10)   0        3
5     ReLU_1        (None, 16, 10, 10)   0        4
6     Flatten_1     (None, 1600)         0        5
7     Linear_1      (None, 200)          320200   6
8     Linear_2      (None, 512)          33280    2
9     ReLU_2        (None, 512)          0        8
10    Linear_3      (None, 512)          262656   9
11    ReLU_3        (None, 512)          0        10
12    Linear_4      (None, 200)          102600   11
13    Add_1         (None, 200)          0        7,12
14    Linear_5      (None, 400)          80400    13
15    ReLU_4        (None, 400)          0        14
16*   Linear_6      (None, 10)           4010     15
17*   Linear_7      (None, 1)            401      15
========================================================
Total params: 803995
Trainable params: 803995
Non-trainable params: 0
________________________________________________________
)");
}

TEST(Summary, TwoImagesAndTwoHeads) {
  EXPECT_EQ("\n" + test::two_images().summary(), R"(
________________________________________________________
      Layer         Output shape         Params   Parent
========================================================
1     Input_1       (None, 1, 28, 28)    0
2     Input_2       (None, 3, 32, 32)    0
3     Conv2d_1      (None, 16, 26, 26)   160      1
4     MaxPool2d_1   (None, 16, 8, 8)     0        3
5     ReLU_1        (None, 16, 8, 8)     0        4
6     Flatten_1     (None, 1024)         0        5
7     Linear_1      (None, 200)          205000   6
8     Conv2d_2      (None, 16, 30, 30)   448      2
9     MaxPool2d_2   (None, 16, 10, 10)   0        8
10    ReLU_2        (None, 16, 10, 10)   0        9
11    Flatten_2     (None, 1600)         0        10
12    Linear_2      (None, 200)          320200   11
13    Add_1         (None, 200)          0        7,12
14    Linear_3      (None, 400)          80400    13
15    ReLU_3        (None, 400)          0        14
16*   Linear_4      (None, 10)           4010     15
17*   Linear_5      (None, 10)           4010     15
========================================================
Total params: 614228
Trainable params: 614228
Non-trainable params: 0
________________________________________________________
)");
}

}  // namespace
}  // namespace reprise
