// Tensors as text. The expected texts are what PyTorch prints between "tensor(" and ")", without
// the indentation by that word, and a line with dtype and shape.

#include <limits>
#include <sstream>

#include "../../core/print.h"
#include "expect.h"

namespace reprise {
namespace {

struct Row {
  const char* what;
  Tensor x;
  std::string expected;
};

TEST(Print, ReadsAsInPyTorch) {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<Row> rows{
      {"whole floats get a point", tensor({{1.0, 2.0}, {3.0, 4.0}}),
       "[[1., 2.],\n [3., 4.]]\nfloat32[2, 2]"},
      {"others four digits", tensor({1.5, -2.25}), "[ 1.5000, -2.2500]\nfloat32[2]"},
      {"integers line up", tensor({{1, -20}, {300, 4}}), "[[  1, -20],\n [300,   4]]\nint64[2, 2]"},
      {"bool", tensor({true, false}), "[ True, False]\nbool[2]"},
      {"a scalar", tensor(2.5), "2.5000\nfloat32[]"},
      {"a whole scalar", tensor(3), "3\nint64[]"},
      {"large values", tensor({1e9, 1.5}), "[1.0000e+09, 1.5000e+00]\nfloat32[2]"},
      {"a wide range", tensor({1.0, 2000.0}), "[1.0000e+00, 2.0000e+03]\nfloat32[2]"},
      {"small values", tensor({1e-5, 1.0}), "[1.0000e-05, 1.0000e+00]\nfloat32[2]"},
      {"zeros do not count", tensor({0.0, 0.5}), "[0.0000, 0.5000]\nfloat32[2]"},
      {"what is not finite", tensor({1.0, inf, -inf, std::nan("")}),
       "[1., inf, -inf, nan]\nfloat32[4]"},
      {"three dimensions", tensor({{{1}, {2}}, {{3}, {4}}}),
       "[[[1],\n  [2]],\n\n [[3],\n  [4]]]\nint64[2, 2, 1]"},
      {"empty", empty({0, 3}), "[]\nfloat32[0, 3]"},
      {"long", arange(2000), "[   0,    1,    2,  ..., 1997, 1998, 1999]\nint64[2000]"},
      {"tall", zeros({600, 2}, {.dtype = int32}),
       "[[0, 0],\n [0, 0],\n [0, 0],\n ...,\n [0, 0],\n [0, 0],\n [0, 0]]\nint32[600, 2]"},
      {"strided", tensor({{1, 2}, {3, 4}}).t(), "[[1, 3],\n [2, 4]]\nint64[2, 2]"},
      {"of meta", empty({2}, {.device = Device::meta()}), "meta float32[2]"},
      {"undefined", Tensor(), "undefined"},
  };
  for (const Row& row : rows) EXPECT_EQ(to_string(row.x), row.expected) << row.what;
}

TEST(Print, StreamsTheSameText) {
  std::ostringstream out;
  out << tensor({1, 2});
  EXPECT_EQ(out.str(), to_string(tensor({1, 2})));
  out.str("");
  out << Shape{2, 3} << ' ' << Pair(1, 2) << ' ' << float64 << ' ' << Device::cpu() << ' '
      << ErrorKind::Io;
  EXPECT_EQ(out.str(), "[2, 3] [1, 2] float64 cpu Io");
}

TEST(Print, LeavesNoTrace) {
  const Tensor x = ones({2}, {.requires_grad = true});
  EXPECT_EQ(to_string(x * 2), "[2., 2.]\nfloat32[2]");
  EXPECT_FALSE(x.grad().defined());
}

}  // namespace
}  // namespace reprise
