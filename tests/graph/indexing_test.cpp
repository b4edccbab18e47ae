// Brackets, iteration and lists of parts on real, symbolic and traced tensors.

#include "../../autograd/gradcheck.h"
#include "../../core/parallel.h"
#include "../../core/random.h"
#include "../../graph/symbolic_value.h"
#include "../core/expect.h"
#include "everywhere.h"

namespace reprise {
namespace {

using test::expect_error, test::expect_tensor, test::run_everywhere;

/// 0, 1, 2, ... in that shape.
Tensor counted(const Shape& shape) {
  return arange(static_cast<double>(shape.numel())).reshape(shape);
}

// ---- x[...] -----------------------------------------------------------------------------------

TEST(Indexing, IsThatOfPython) {
  struct Row {
    const char* what;
    std::function<Tensor(const Tensor&)> f, expected;
  };
  const std::vector<Row> rows{
      {"x[1]", [](auto& x) { return x[1]; }, [](auto& x) { return select(x, 0, 1); }},
      {"x[-1]", [](auto& x) { return x[-1]; }, [](auto& x) { return select(x, 0, 2); }},
      {"x[{1, 2}]",
       [](auto& x) {
         return x[{1, 2}];
       },
       [](auto& x) { return select(select(x, 0, 1), 0, 2); }},
      {"x[1:]", [](auto& x) { return x[Slice(1)]; }, [](auto& x) { return slice(x, 0, 1); }},
      {"x[:2]", [](auto& x) { return x[Slice(None, 2)]; },
       [](auto& x) { return slice(x, 0, 0, 2); }},
      {"x[::2]", [](auto& x) { return x[{Slice(None, None, 2)}]; },
       [](auto& x) { return slice(x, 0, {}, {}, 2); }},
      {"x[:, 1:3]",
       [](auto& x) {
         return x[{Slice(), Slice(1, 3)}];
       },
       [](auto& x) { return slice(x, 1, 1, 3); }},
      {"x[:, -2]",
       [](auto& x) {
         return x[{Slice(), -2}];
       },
       [](auto& x) { return select(x, 1, -2); }},
      {"x[..., 0]",
       [](auto& x) {
         return x[{Ellipsis, 0}];
       },
       [](auto& x) { return select(x, -1, 0); }},
      {"x[0, ..., 1]",
       [](auto& x) {
         return x[{0, Ellipsis, 1}];
       },
       [](auto& x) { return select(select(x, 2, 1), 0, 0); }},
      {"x[...]", [](auto& x) { return x[Ellipsis]; }, [](auto& x) { return x; }},
      {"x[0, 1, ..., 2]",
       [](auto& x) {
         return x[{0, 1, Ellipsis, 2}];
       },
       [](auto& x) { return x.select(0, 0).select(0, 1).select(0, 2); }},
      {"x[None]", [](auto& x) { return x[None]; }, [](auto& x) { return unsqueeze(x, 0); }},
      {"x[0:3, 1, ..., None]",
       [](auto& x) {
         return x[{Slice(0, 3), 1, Ellipsis, None}];
       },
       [](auto& x) { return unsqueeze(select(slice(x, 0, 0, 3), 1, 1), 2); }},
      {"x.index({2, None})",
       [](auto& x) {
         return x.index({2, None});
       },
       [](auto& x) { return unsqueeze(select(x, 0, 2), 0); }},
  };
  const Tensor data = counted({3, 4, 5});
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    const auto f = [&](const Tensors& in) { return Tensors{row.f(in[0])}; };
    expect_tensor(run_everywhere(f, {data})[0], row.expected(data));
  }
}

TEST(Indexing, GivesViewsAndOneNode) {
  Tensor x = zeros({3, 4});
  x[{Slice(), 1}].fill_(7);
  expect_tensor(x[{2, 1}], tensor({7.}).reshape({}));
  const Tensor s = Input({4, 5}), y = s[{Slice(), 1, None}];
  EXPECT_EQ(to_string(y.shape()), "[None, 1, 5]");
  EXPECT_EQ(depth(y), 1);
  EXPECT_EQ(layer(y)->name(), "index");
}

TEST(Indexing, Refuses) {
  const Tensor x = counted({3, 4});
  expect_error([&] { x[{0, 1, 2}]; }, ErrorKind::Index, {"at most 2 indices", "[3, 4]", "got 3"});
  expect_error([&] { x[{Slice(), 4}]; }, ErrorKind::Index, {"select", "[-4, 3]", "got 4"});
  expect_error([&] { x[{Ellipsis, Ellipsis}]; }, ErrorKind::Value, {"at most one ellipsis"});
  expect_error([&] { x[Slice(0, 3, -1)]; }, ErrorKind::Value, {"step of at least 1, got -1"});
  expect_error([&] { x[Tensor()]; }, ErrorKind::Value, {"undefined"});
  expect_error([&] { x[{tensor({0}), tensor({0})}]; }, ErrorKind::Value, {"at most one tensor"});
  expect_error([&] { x[x > 2]; }, ErrorKind::DType, {"index of int64, got bool"});
  expect_error([&] { Input({4})[{0, 0, 0}]; }, ErrorKind::Index, {"[None, 4]", "got 3"});
}

TEST(Indexing, Prints) {
  std::string out;
  for (const Index& i : {Index(2), Index(Slice(0, 3)), Index(Slice(1, None, 2)), Index(Slice()),
                         Index(Ellipsis), Index(None), Index(tensor({1, 2}))}) {
    out += to_string(i) + " ";
  }
  EXPECT_EQ(out, "2 0:3 1::2 : ... None int64[2] ");
}

// ---- x[indices] -------------------------------------------------------------------------------

/// result[i..., rest] = x[index[i...], rest], row by row.
Tensor rows_of(const Tensor& x, const Tensor& index) {
  Tensors rows;
  for (const int64_t i : index.to_vector<int64_t>()) rows.push_back(select(x, 0, i));
  Shape shape = index.shape();
  for (int d = 1; d < x.dim(); ++d) shape.push_back(x.size(d));
  return rows.empty() ? zeros(shape) : stack(rows).reshape(shape);
}

TEST(TensorIndex, TakesRowsOfAnyShapeOnAnyLayout) {
  const Tensor x = counted({5, 3, 2});
  const std::vector<Tensor> tables{x,
                                   counted({5}),
                                   x.transpose(1, 2),
                                   counted({3, 5, 2}).transpose(0, 1),
                                   counted({5, 1}).expand({5, 3}),
                                   counted({9, 3})[Slice(None, None, 2)]};
  const Tensor numbers = tensor({{4, 0, -1}, {2, -5, 2}});
  const std::vector<Tensor> indices{numbers,
                                    numbers.reshape({6}),
                                    numbers.t(),
                                    tensor({1}).reshape({}),
                                    tensor({3}).expand({4}),
                                    zeros({0, 2}, {.dtype = int64}),
                                    numbers.reshape({1, 2, 1, 3})};
  for (const Tensor& table : tables) {
    for (const Tensor& index : indices) {
      SCOPED_TRACE(text(table.shape(), table.strides(), " at ", index.shape()));
      const Tensor y =
          run_everywhere([](auto& in) { return Tensors{in[0][in[1]]}; }, {table, index}, false)[0];
      expect_tensor(y, rows_of(table, index));
    }
  }
  expect_tensor(x[{1, tensor({2, -1})}], rows_of(x[1], tensor({2, -1})));
  expect_tensor(x[{Slice(), tensor({{2}, {0}})}],
                stack({x.select(1, 2), x.select(1, 0)}, 1).unsqueeze(2));
  expect_tensor(index_select(x, -1, tensor({1, 1, 0})),
                stack({x.select(2, 1), x.select(2, 1), x.select(2, 0)}, 2));
  expect_tensor(x.to(int32)[numbers], rows_of(x, numbers).to(int32));
}

TEST(TensorIndex, OfASymbolATensorOrBoth) {
  const Tensor table = counted({5, 3}), index = tensor({4, -2, 0});
  const Tensor s = Input({3}), i = Input({}, {.dtype = int64});
  EXPECT_EQ(to_string(s[i].shape()), "[None, 3]");
  EXPECT_EQ(to_string(table[i].shape()), "[None, 3]");
  EXPECT_EQ(to_string(s[index].shape()), "[3, 3]");
  expect_tensor(SymbolicModel({s, i}, s[i])(table, index), rows_of(table, index));
  expect_tensor(SymbolicModel(i, table[i])(index), rows_of(table, index));
  expect_tensor(SymbolicModel(s, s[index])(table), rows_of(table, index));
  EXPECT_EQ(parents(s[i]).size(), 2U);
}

TEST(TensorIndex, OfASymbolOfAnotherType) {
  const Tensor x = Input({3}, {.batch_size = 5}), data = counted({5, 3});
  const auto at = CustomInput(int64_t{0});
  const auto range = CustomInput(Slice(0, 2));
  const SymbolicModel row({x, at}, x[at]), rows(range, data[range] * 2);
  EXPECT_EQ(to_string(x[at].shape()), "[3]");
  expect_tensor(row.call<Tensor>(data, int64_t{3}), data[3]);
  expect_tensor(rows.call<Tensor>(Slice(1, 3)), data[Slice(1, 3)] * 2);
  expect_error([&] { row.call<Tensor>(data, int64_t{5}); }, ErrorKind::Index, {"got 5"});
}

TEST(TensorIndex, NamesTheValueOutside) {
  const Tensor x = counted({5, 3});
  expect_error([&] { x[tensor({0, 5})]; }, ErrorKind::Index, {"[-5, 5)", "got 5", "position [1]"});
  expect_error([&] { x[tensor({-6})]; }, ErrorKind::Index, {"[-5, 5)", "got -6"});
  expect_error([&] { zeros({0, 3})[tensor({0})]; }, ErrorKind::Index, {"[0, 0)", "got 0"});
  expect_error([&] { tensor({1.}).reshape({})[tensor({0})]; }, ErrorKind::Index, {"at most 0"});
  expect_error([&] { index_select(x, 2, tensor({0})); }, ErrorKind::Index, {"index_select"});
  const Tensor s = Input({3}), i = Input({}, {.dtype = int64});
  const SymbolicModel model({s, i}, s[i]);
  expect_error([&] { model(x, tensor({7})); }, ErrorKind::Index, {"Index_1", "[-5, 5)", "got 7"});
}

TEST(TensorIndex, IsDifferentiableTwice) {
  manual_seed(1);
  const Tensor index = tensor({{1, 0, -1}, {1, 1, 2}});  // row 1 three times
  const auto rows = [&](const Tensors& in) { return Tensors{in[0][index]}; };
  const auto columns = [&](const Tensors& in) { return Tensors{in[0][{Ellipsis, index}]}; };
  Tensor x = randn({3, 4, 3}, {.dtype = float64});
  x.requires_grad_();
  EXPECT_TRUE(gradcheck(rows, {x}));
  EXPECT_TRUE(gradgradcheck(rows, {x}));
  EXPECT_TRUE(gradcheck(columns, {x}));
  Tensor y = zeros({3, 2}, {.requires_grad = true});
  sum(y[index]).backward();
  expect_tensor(y.grad(), tensor({{1., 1.}, {3., 3.}, {2., 2.}}));
}

TEST(TensorIndex, SumsInOneOrderForAnyNumberOfThreads) {
  manual_seed(1);
  const Tensor index = randn({5000}).abs().to(int64), gy = randn({5000, 200});
  std::vector<Tensor> grads;
  for (const int threads : {1, 2, 4}) {
    const test::Threads guard(threads);
    Tensor x = zeros({10, 200}, {.requires_grad = true});
    x[index].backward(gy);
    grads.push_back(x.grad());
  }
  for (const Tensor& g : grads) EXPECT_EQ(test::difference(g, grads[0]), "");
}

// ---- rows and parts ---------------------------------------------------------------------------

TEST(Iteration, WalksOverTheFirstDimension) {
  const auto f = [](const Tensors& in) {
    Tensors rows;
    for (const Tensor row : in[0]) rows.push_back(row * 2);
    return rows;
  };
  const Tensors rows = run_everywhere(f, {counted({3, 2})}, false);
  ASSERT_EQ(rows.size(), 3U);
  expect_tensor(rows[2], tensor({8., 10.}));
  const Tensor x = counted({4, 2});
  const std::vector<Tensor> list(x.begin(), x.end());
  EXPECT_EQ(list.size(), 4U);
  EXPECT_EQ(x.begin() == x.end(), false);
  for (const Tensor row : zeros({0, 3})) ADD_FAILURE() << row;
  expect_error([] { tensor({1.}).reshape({}).begin(); }, ErrorKind::Shape, {"got a scalar"});
  expect_error(
      [] {
        for (const Tensor row : Input({3})) ADD_FAILURE() << row;
      },
      ErrorKind::Graph, {"iteration", "dim 0 of [None, 3]", "give Input a batch_size"});
}

TEST(Parts, OfUnbindSplitAndChunk) {
  const Tensor x = counted({2, 7, 3});
  const auto sizes = [](const Tensors& parts) {
    std::vector<int64_t> out;
    for (const Tensor& part : parts) out.push_back(part.size(1));
    return out;
  };
  using Sizes = std::vector<int64_t>;
  const auto everywhere = [&](auto f) {
    const Tensors parts = run_everywhere([&](auto& in) { return f(in[0]); }, {x});
    expect_tensor(cat(parts, 1), x);
    return sizes(parts);
  };
  EXPECT_EQ(everywhere([](auto& a) { return split(a, 3, 1); }), (Sizes{3, 3, 1}));
  EXPECT_EQ(everywhere([](auto& a) { return split(a, 100, -2); }), (Sizes{7}));
  EXPECT_EQ(everywhere([](auto& a) { return split(a, {2, 0, 5}, 1); }), (Sizes{2, 0, 5}));
  EXPECT_EQ(everywhere([](auto& a) { return chunk(a, 2, 1); }), (Sizes{4, 3}));
  EXPECT_EQ(everywhere([](auto& a) { return chunk(a, 4, 1); }), (Sizes{2, 2, 2, 1}));
  EXPECT_EQ(everywhere([](auto& a) { return chunk(a, 5, 1); }), (Sizes{2, 2, 2, 1}));
  EXPECT_EQ(chunk(zeros({0}), 3).size(), 3U);
  EXPECT_EQ(split(zeros({0}), 3).size(), 1U);
  const Tensors columns = run_everywhere([](auto& in) { return unbind(in[0], 2); }, {x});
  expect_tensor(stack(columns, 2), x);
  EXPECT_EQ(unbind(zeros({0, 3})).size(), 0U);
}

TEST(Parts, AreOneNodeOfSeveralOutputs) {
  const Tensor x = Input({4, 6});
  const Tensors parts = x.chunk(2, 2);
  EXPECT_EQ(to_string(parts[1].shape()), "[None, 4, 3]");
  EXPECT_EQ(depth(parts[1]), 1);
  EXPECT_EQ(layer(parts[0]), layer(parts[1]));
  EXPECT_EQ(layer(parts[0])->name(), "split");
}

TEST(Parts, Refuse) {
  const Tensor x = counted({6}), s = Input({3});
  expect_error([&] { split(x, 0); }, ErrorKind::Value, {"split_size of at least 1, got 0"});
  expect_error([&] { split(x, {2, 3}); }, ErrorKind::Shape, {"add up to 6, got 5"});
  expect_error([&] { split(x, {2, 5}); }, ErrorKind::Shape, {"add up to 6", "got 5 where 4"});
  expect_error([&] { split(x, {7, -1}); }, ErrorKind::Shape, {"got 7 where 6"});
  expect_error([&] { chunk(x, 0); }, ErrorKind::Value, {"at least 1 chunk"});
  expect_error([&] { unbind(x, 1); }, ErrorKind::Index, {"unbind"});
  for (const auto& f : std::vector<std::function<void()>>{[&] { unbind(s); }, [&] { split(s, 2); },
                                                          [&] { chunk(s, 2); }}) {
    expect_error(f, ErrorKind::Graph, {"dim 0 of [None, 3] is not known"});
  }
}

TEST(StructuredBindings, TakeSeveralOutputsApart) {
  const Tensor x = Input({4}), data = counted({3, 4});
  const auto [values, indices] = max(x, 1);
  const auto [first, second] = unpack<2>(x.chunk(2, 1));
  const auto [a, b, c, d] = unpack<4>(x, 1);
  const SymbolicModel model(x, {values, indices, first + second, a * d});
  const auto [v, i, total, product] = unpack<4>(model.outputs(data));
  expect_tensor(v, tensor({3., 7., 11.}));
  expect_tensor(i, tensor({3, 3, 3}));
  expect_tensor(total, tensor({{2., 4.}, {10., 12.}, {18., 20.}}));
  expect_tensor(product, tensor({0., 28., 88.}));
  EXPECT_EQ(parents(a).size(), 1U);
  expect_error([&] { unpack<3>(data, 1); }, ErrorKind::Value, {"expected 3 tensors, got 4"});
}

}  // namespace
}  // namespace reprise
