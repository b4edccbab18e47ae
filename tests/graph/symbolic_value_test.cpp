// Symbols of any C++ type and any function as a node: add_to_graph, CustomInput, Symbolic<T>.

#include "../../graph/symbolic_value.h"

#include <gtest/gtest.h>

#include <set>

#include "../../core/random.h"
#include "../core/expect.h"
#include "../layers/helpers.h"
#include "example_models.h"
#if __has_include(<Eigen/Core>)
#include <Eigen/Core>
#elif __has_include(<eigen3/Eigen/Core>)
#include <eigen3/Eigen/Core>
#endif

namespace reprise {
namespace {

using test::error_of, test::expect_equal, test::expect_tensor;
using Set = std::set<int>;
using Rows = std::vector<std::vector<double>>;

}  // namespace
}  // namespace reprise

// Operators that a user's program defines for a type of the standard library.
namespace std {
static set<int> operator&(const set<int>& a, const set<int>& b) {
  set<int> out;
  for (int x : a) {
    if (b.contains(x)) out.insert(x);
  }
  return out;
}
static set<int> operator|(const set<int>& a, const set<int>& b) {
  set<int> out = a;
  out.insert(b.begin(), b.end());
  return out;
}
static set<int> operator-(const set<int>& a, const set<int>& b) {
  set<int> out;
  for (int x : a) {
    if (!b.contains(x)) out.insert(x);
  }
  return out;
}
static set<int> operator^(const set<int>& a, const set<int>& b) { return (a | b) - (a & b); }
}  // namespace std

namespace reprise {
namespace {

// ---- Values of any type
// ---------------------------------------------------------------------------------

TEST(SymbolicValue, AGraphOverSets) {
  const auto a = CustomInput(Set{1, 2, 3}), b = CustomInput(Set{3, 4});
  const auto both = a & b, either = a | b, one = a ^ b, rest = a - b;
  const SymbolicModel model({a, b}, {both, either, one, rest});
  const auto [x, y, z, w] = model.call<std::tuple<Set, Set, Set, Set>>(Set{1, 5, 9}, Set{5, 6});
  EXPECT_EQ(x, (Set{5}));
  EXPECT_EQ(y, (Set{1, 5, 6, 9}));
  EXPECT_EQ(z, (Set{1, 6, 9}));
  EXPECT_EQ(w, (Set{1, 9}));
  EXPECT_EQ("\n" + SymbolicModel({a, b}, one).summary(), R"(
______________________________________________
     Layer     Output shape    Params   Parent
==============================================
1    Input_1   std::set<int>   0
2    Input_2   std::set<int>   0
3*   Xor_1     std::set<int>   0        1,2
==============================================
Total params: 0
Trainable params: 0
Non-trainable params: 0
______________________________________________
)");
}

TEST(SymbolicValue, IntegersHaveTheirOperatorsOnEitherSide) {
  const auto a = CustomInput(7), b = CustomInput(3);
  const std::vector<std::pair<Symbolic<int>, int>> rows{
      {a + b, 23},   {a - 1, 19},  {2 * a, 40},  {a / b, 6},  {a % b, 2}, {a & 6, 4},
      {1 | a, 21},   {a ^ b, 23},  {a << 1, 40}, {a >> b, 2}, {-a, -20},  {~b, -4},
      {100 / b, 33}, {50 % a, 10}, {a + a, 40},  {1 << b, 8},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    const SymbolicModel model({a, b}, rows[i].first);
    EXPECT_EQ(model.call<int>(20, 3), rows[i].second) << i;
  }
  const std::vector<std::pair<Symbolic<bool>, bool>> tests{
      {a == b, false}, {a != b, true}, {a < b, false},    {a <= 20, true},
      {20 > a, false}, {a >= b, true}, {!(a > b), false},
  };
  for (size_t i = 0; i < tests.size(); ++i) {
    EXPECT_EQ(SymbolicModel({a, b}, tests[i].first).call<bool>(20, 3), tests[i].second) << i;
  }
}

struct NoOperators {
  int value;
};
template <class A, class B>
concept Adds = requires(const A& a, const B& b) {
  a + b;
};
template <class A>
concept Negates = requires(const A& a) {
  -a;
};
template <class A>
concept Sized = requires(const A& a) {
  a.size();
};
template <class A, class I>
concept Indexed = requires(const A& a, const I& i) {
  a[i];
};

TEST(SymbolicValue, OperatorsAreThereExactlyWhereTheTypeHasThem) {
  static_assert(Adds<Symbolic<int>, Symbolic<double>> && Adds<Symbolic<int>, int>);
  static_assert(Adds<std::string, Symbolic<std::string>>);
  static_assert(!Adds<Symbolic<NoOperators>, Symbolic<NoOperators>> && !Adds<Symbolic<Set>, int>);
  static_assert(Negates<Symbolic<double>> && !Negates<Symbolic<Set>>);
  static_assert(Sized<Symbolic<Set>> && !Sized<Symbolic<int>>);
  static_assert(Indexed<Symbolic<Rows>, int> && Indexed<Symbolic<Rows>, Symbolic<int>>);
  static_assert(!Indexed<Symbolic<Set>, int> && !Indexed<Symbolic<Rows>, std::string>);
  static_assert(std::same_as<decltype(CustomInput(1) + CustomInput(2.5)), Symbolic<double>>);
  static_assert(std::same_as<decltype(CustomInput("text")), Symbolic<std::string>>);
}

Rows matmul_of_lists(const Rows& a, const Rows& b) {
  Rows out(a.size(), std::vector<double>(b.front().size()));
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < b.front().size(); ++j) {
      for (size_t k = 0; k < b.size(); ++k) out[i][j] += a[i][k] * b[k][j];
    }
  }
  return out;
}

TEST(SymbolicValue, AMatmulOfLists) {
  const auto a = CustomInput(Rows{{1, 2}, {3, 4}}), b = CustomInput(Rows{{1, 0}, {0, 1}});
  const auto product = add_to_graph(matmul_of_lists, a, b);
  const auto size = product.size();
  const auto corner = product[1][0];
  const SymbolicModel model({a, b}, {product, size, corner});
  using Out = std::tuple<Rows, size_t, double>;
  const auto [c, rows, value] = model.call<Out>(Rows{{1, 2}, {3, 4}}, Rows{{0, 1}, {2, 0}});
  EXPECT_EQ(c, (Rows{{4, 1}, {8, 3}}));
  EXPECT_EQ(rows, 2u);
  EXPECT_EQ(value, 8);
  EXPECT_THROW(model.call<Out>(Rows{{1, 2}}, Rows{{0, 1}, {2, 0}}), std::out_of_range)
      << "[1] of one row";
}

#ifdef EIGEN_WORLD_VERSION
TEST(SymbolicValue, EigenMatrices) {
  const auto a = CustomInput(Eigen::MatrixXd(Eigen::MatrixXd::Identity(2, 2))),
             b = CustomInput(Eigen::MatrixXd(Eigen::MatrixXd::Ones(2, 2)));
  const auto times = [](const Eigen::MatrixXd& x, const Eigen::MatrixXd& y) -> Eigen::MatrixXd {
    return x * y + x.transpose();
  };
  const auto c = add_to_graph(times, a, b), lazy = a * b + a;
  static_assert(std::same_as<decltype(lazy), const Symbolic<Eigen::MatrixXd>>);
  const auto trace = c([](const Eigen::MatrixXd& x) { return x.trace(); });
  Eigen::MatrixXd x(2, 2), y(2, 2);
  x << 1, 2, 3, 4;
  y << 0, 1, 1, 0;
  const auto [m, t] =
      SymbolicModel({a, b}, {c, trace}).call<std::tuple<Eigen::MatrixXd, double>>(x, y);
  EXPECT_EQ(m, (x * y + x.transpose()).eval());
  EXPECT_EQ(t, m.trace());
}
#endif

TEST(SymbolicValue, ADictionaryOfTensorsIndexedByASymbolicKey) {
  using Dictionary = std::map<std::string, Tensor>;
  const Dictionary example{{"a", zeros({2, 3})}, {"b", zeros({2, 3})}};
  const auto dictionary = CustomInput(example);
  const auto key = CustomInput(std::string("a"));
  const Tensor chosen = dictionary[key], y = chosen * 2;
  EXPECT_EQ(shape_text(y.shape()), "(2, 3)");
  const SymbolicModel model({dictionary, key}, y);
  const Dictionary values{{"a", ones({2, 3})}, {"b", full({2, 3}, 5.0)}};
  expect_tensor(model.call<Tensor>(values, std::string("b")), full({2, 3}, 10.0));
  EXPECT_THROW(model.call<Tensor>(values, std::string("c")), std::out_of_range);
}

TEST(SymbolicValue, CallsMembersUnpackingAndNesting) {
  struct Affine {
    int scale, shift;
    int operator()(int x) const { return scale * x + shift; }
    int twice() const { return 2 * scale; }
  };
  const auto f = CustomInput(Affine{2, 1});
  const auto x = CustomInput(5);
  const auto y = f(x), z = f(10), scale = add_to_graph(&Affine::scale, f),
             twice = f(&Affine::twice);
  const auto pair = CustomInput(std::pair<int, std::string>(1, "one"));
  const auto [number, word] = pair;
  const auto list = CustomInput(std::vector<int>{1, 2, 3});
  const auto items = list.unpack();
  ASSERT_EQ(items.size(), 3u);
  const auto total = items[0] + items[1] * items[2];
  const SymbolicModel model({f, x, pair, list}, {y, z, scale, twice, number, word, total});
  const auto [a, b, c, d, e, g, h] =
      model.call<std::tuple<int, int, int, int, int, std::string, int>>(
          Affine{3, 4}, 6, std::pair<int, std::string>(7, "seven"), std::vector<int>{4, 5, 6});
  EXPECT_EQ(std::tie(a, b, c, d, e, h), std::make_tuple(22, 34, 3, 6, 7, 34));
  EXPECT_EQ(g, "seven");
  const std::string message =
      error_of([&] { SymbolicModel(list, items[0]).call<int>(std::vector<int>{1}); });
  EXPECT_EQ(message,
            "Unpack_1: unpack: expected 3 elements, as when the graph was built, "
            "got 1");
  // As part of another model.
  const auto i = CustomInput(1), j = CustomInput(2);
  const SymbolicModel inner({i, j}, i * 10 + j);
  const auto p = CustomInput(0);
  const Symbolic<int> nested = inner.call<int>(p + 1, p);
  EXPECT_EQ(SymbolicModel(p, inner.call<int>(nested, p)).call<int>(4), 544);
}

TEST(SymbolicValue, LiteralsAssignmentsAndLogic) {
  const auto word = CustomInput("one");
  const auto same = word == "two", longer = "a " + word + "!" == std::string("a two!");
  auto total = CustomInput(1);
  const auto one = total;
  total += 2;
  total *= total;
  const auto both = same && longer, none = !same || !longer;
  const auto greeted = add_to_graph(
      [](const std::string& a, const std::string& b) { return a + b; }, "hello ", word);
  const auto dictionary = CustomInput(std::map<std::string, int>{{"a", 1}});
  const auto view = word([](const std::string& w) { return std::string_view(w).substr(1); });
  const SymbolicModel model({word, one, dictionary},
                            {both, none, total, greeted, dictionary["a"], view});
  using Out = std::tuple<bool, bool, int, std::string, int, std::string>;
  EXPECT_EQ(model.call<Out>("two", 3, std::map<std::string, int>{{"a", 7}}),
            Out(true, false, 25, "hello two", 7, "wo"));
}

TEST(SymbolicValue, PrintsItsTypeAndKnowsItsNeighbours) {
  const auto a = CustomInput(Set{1}), b = a | a;
  EXPECT_EQ(to_string(a), "<Symbolic std::set<int>; 0 parents; 1 children>");
  EXPECT_EQ(to_string(b), "<Symbolic std::set<int>; 1 parents; 0 children>");
  EXPECT_EQ(to_string(CustomInput(std::string("x"))),
            "<Symbolic std::string; 0 parents; 0 children>");
  EXPECT_EQ(depth(b), 1);
  EXPECT_EQ(parents(b).size(), 1u);
  EXPECT_EQ(children(a).size(), 1u);
  EXPECT_EQ(layer(b)->name(), "or");
  EXPECT_EQ(layer(a), nullptr);
}

TEST(SymbolicValue, ErrorsNameBothTypes) {
  const auto a = CustomInput(1);
  const Tensor t = Input({3});
  const SymbolicModel model({a, t}, {a + 1, t * 2});
  using Out = std::tuple<int, Tensor>;
  const std::vector<std::pair<std::function<void()>, std::string>> rows{
      {[&] {
         model.call<Out>(2.5, zeros({1, 3}));
       },
       "SymbolicModel: expected input 0 of int, got double"},
      {[&] { model.call<Out>(2, 3); },
       "SymbolicModel: expected input 1 of float32 (None, 3), got int"},
      {[&] {
         model.call<Out>(zeros({1, 3}), zeros({1, 3}));
       },
       "SymbolicModel: expected input 0 of int, got float32 (1, 3)"},
      {[&] { model.call<Out>(2); }, "SymbolicModel: expected 2 inputs, got 1"},
      {[&] {
         model.call<std::tuple<double, Tensor>>(2, zeros({1, 3}));
       },
       "expected double, got int"},
      {[&] {
         model.call<std::tuple<Tensor, Tensor>>(2, zeros({1, 3}));
       },
       "expected a tensor, got int"},
      {[&] {
         model.call<int>(2, zeros({1, 3}));
       },
       "SymbolicModel: asked for 1 outputs (a std::tuple asks for several), this model has 2"},
      {[&] {
         SymbolicModel({a, t}, a * 2)(t);
       },
       "SymbolicModel: the output is of type int; use model.call<int>(x)"},
      {[&] { Symbolic<double>(a.node()); }, "expected double, got int"},
      {[&] { Symbolic<double> s(t); },
       "expected a symbol of a C++ value, got one of a tensor (None, 3)"},
      {[&] { add_to_graph([](int x) { return x; }, 3); },
       "add_to_graph: expected a symbol among the arguments of Lambda, got none (a struct names "
       "its members, see graph/structure.h)"},
  };
  for (const auto& [run, expected] : rows) EXPECT_EQ(error_of(run), expected);
}

// ---- add_to_graph on tensors
// ---------------------------------------------------------------------------------

struct Item {
  std::variant<std::monostate, Tensor, std::vector<Tensor>> content;
};
auto members(Item& item) { return std::tie(item.content); }

TEST(AddToGraph, SymbolsAnywhereInNestedArguments) {
  const Tensor a = Input({3}), b = Input({3}), c = Input({3}), constant = full({3}, 100.0);
  const auto f = [](const std::map<std::string, Item>& items, double factor) {
    const Tensor& one = std::get<Tensor>(items.at("one").content);
    const auto& many = std::get<std::vector<Tensor>>(items.at("many").content);
    const Tensor sum = (many[0] + many[1] * 10 + one) * factor;
    return std::pair<Tensor, int>(sum + std::get<Tensor>(items.at("constant").content),
                                  static_cast<int>(items.size()));
  };
  const std::map<std::string, Item> items{
      {"constant", {constant}}, {"one", {a}}, {"many", {std::vector{b, c}}}, {"none", {}}};
  const auto [y, count] = add_to_graph(f, items, 2.0);
  static_assert(std::same_as<decltype(count), const Symbolic<int>>);
  EXPECT_EQ(shape_text(y.shape()), "(None, 3)");
  EXPECT_EQ(parents(y).size(), 3u);
  const SymbolicModel model({a, b, c}, {y, count});
  const auto [value, size] =
      model.call<std::tuple<Tensor, int>>(full({2, 3}, 1.0), full({2, 3}, 2.0), full({2, 3}, 3.0));
  expect_tensor(value, full({2, 3}, 166.0));
  EXPECT_EQ(size, 4);
}

TEST(AddToGraph, EveryKindOfNestingAndOfResult) {
  const Tensor x = Input({2});
  const auto n = CustomInput(3);
  const auto f = [](const std::tuple<Tensor, int>& a, const std::array<Tensor, 2>& b,
                    const std::optional<Tensor>& c, const Tensors& d,
                    const std::vector<std::pair<int, Tensor>>& e) {
    const Tensor sum = std::get<0>(a) * std::get<1>(a) + b[0] + b[1] + c.value() + d[0] + d[1];
    return sum + e[0].second * e[0].first;
  };
  const Tensor y = add_to_graph(f, std::tuple(x, n), std::array{x, x}, std::optional(x),
                                Tensors{x, ones({2})}, std::vector<std::pair<int, Tensor>>{{5, x}});
  const Tensor data = tensor({{1.0, 2.0}});
  expect_tensor(SymbolicModel({x, n}, y).call<Tensor>(data, 3), tensor({{13.0, 25.0}}));

  const auto many = add_to_graph(
      [](const Tensor& t) {
        return std::map<std::string, std::vector<Tensor>>{{"a", {t, t + 1}}, {"b", {t * 2}}};
      },
      x);
  static_assert(std::same_as<decltype(many), const std::map<std::string, std::vector<Tensor>>>);
  const Tensors out = SymbolicModel(x, {many.at("b")[0], many.at("a")[1]}).outputs(data);
  expect_tensor(out[0], tensor({{2.0, 4.0}}));
  expect_tensor(out[1], tensor({{2.0, 3.0}}));

  const auto best = add_to_graph([](const Tensor& t) { return max(t, 1); }, x);
  static_assert(std::same_as<decltype(best), const ValuesIndices>);
  expect_tensor(SymbolicModel(x, best.values)(data), tensor({2.0}));
}

TEST(AddToGraph, RunsAtEachReplayWithItsSideEffects) {
  const Tensor x = Input({2});
  int calls = 0;
  const Tensor y = add_to_graph(
      [&calls](const Tensor& t) {
        ++calls;
        return t + 1;
      },
      x);
  const int while_building = calls;
  EXPECT_LE(while_building, 2);
  SymbolicModel model(x, y * 2);
  for (int i = 1; i <= 3; ++i) {
    expect_tensor(model(zeros({1, 2})), full({1, 2}, 2.0));
    EXPECT_EQ(calls, while_building + i);
  }
  model.compile();
  for (int i = 4; i <= 6; ++i) {
    expect_tensor(model(zeros({1, 2})), full({1, 2}, 2.0));
    EXPECT_EQ(calls, while_building + i) << "compiled";
  }
  EXPECT_NE(model.compile_report().find("parts between C++ code (Lambda_1)\n"), std::string::npos)
      << model.compile_report();
}

TEST(AddToGraph, FunctionsThatReadValuesAreTriedOnValuesFromTheRange) {
  const Tensor x = Input({3}, {.min_value = 5, .max_value = 6}),
               i = Input({}, {.dtype = int64, .min_value = 2, .max_value = 4});
  double lowest = 100, highest = -100;
  const auto f = [&](const Tensor& t, const Tensor& index) {
    for (const double v : t.to_vector<double>()) {
      lowest = std::min(lowest, v);
      highest = std::max(highest, v);
    }
    const auto rows = index.to_vector<int64_t>();
    for (const int64_t row : rows) EXPECT_TRUE(row >= 2 && row <= 4) << row;
    return sum(t).item<double>() > 0 ? t * 2 : t;
  };
  const uint64_t drawn = default_generator().offset();
  const Tensor y = add_to_graph(f, x, i);
  EXPECT_EQ(default_generator().offset(), drawn);
  EXPECT_GE(lowest, 5);
  EXPECT_LE(highest, 6);
  EXPECT_GT(highest - lowest, 0.5);
  EXPECT_EQ(shape_text(y.shape()), "(None, 3)");
  expect_tensor(SymbolicModel({x, i}, y)(full({1, 3}, -1.0), full({1}, 3)), full({1, 3}, -1.0));
  EXPECT_EQ(error_of([] { Input({1}, {.min_value = 2, .max_value = 1}); }),
            "Input: expected min_value of at most max_value, got 2 and 1");
}

TEST(AddToGraph, GradientsFlowThroughAndErrorsNameTheNode) {
  const Tensor x = Input({2});
  nn::Linear layer(2, 2);
  const Tensor y = add_to_graph(layer, x),
               z = add_to_graph([](const Tensor&t) { return t * t; }, y);
  const SymbolicModel model(x, z);
  EXPECT_EQ(model.num_parameters(), 6) << "a layer is a layer";
  sum(model(ones({1, 2}))).backward();
  EXPECT_TRUE(layer.weight().grad().defined());

  const Tensor bad = add_to_graph(
      [](const Tensor& t) {
        check(!t.has_data(), ErrorKind::Value, "no data wanted");
        return t;
      },
      x);
  EXPECT_EQ(error_of([&] { SymbolicModel(x, bad)(ones({1, 2})); }), "Lambda_1: no data wanted");
  const auto throws = add_to_graph(
      [](const Tensor& t) {
        if (t.has_data()) throw std::logic_error("mine");
        return t;
      },
      x);
  EXPECT_THROW(SymbolicModel(x, throws)(ones({1, 2})), std::logic_error);
  int length = 2;
  const auto list = add_to_graph([&](const Tensor& t) { return std::vector(length, t); }, x);
  length = 3;
  EXPECT_EQ(error_of([&] {
              SymbolicModel(x, list[0])(ones({1, 2}));
            }),
            "Lambda_1: expected a result with the same sizes, keys and alternatives as when the "
            "graph was built");
}

}  // namespace
}  // namespace reprise
