// The graph itself: names, threads, sizes, what models take of it, outputs added later, misuse.

#include <gtest/gtest.h>

#include <list>
#include <thread>
#include <unordered_set>

#include "../../core/random.h"
#include "../../graph/model.h"
#include "../core/expect.h"
#include "../layers/helpers.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::error_of, test::expect_equal, test::expect_tensor;

// ---- Names
// ---------------------------------------------------------------------------------

std::string names_of(const SymbolicModel& model) {
  std::string out;
  for (const auto& [name, child] : model.children()) out += name + " ";
  return out;
}

TEST(CustomName, IsUsedBareAndNumberedOnlyWhenRepeated) {
  const Tensor x = Input({4});
  Tensor y = nn::Linear(4, 4)(x, custom_name("stem"));
  y = y(nn::Linear(4, 4), custom_name("block"));
  y = y(nn::Linear(4, 4), custom_name("block"));
  y = y(nn::Linear(4, 4));
  y = custom_name(relu(y), "act");
  const auto total =
      add_to_graph([](const Tensor& t) { return t.size(1); }, y, custom_name("width"));
  const SymbolicModel model(x, {y, total});
  EXPECT_EQ(names_of(model), "stem block_1 block_2 Linear_1 ");
  const std::string table = model.summary();
  EXPECT_NE(table.find(" act "), std::string::npos) << table;
  EXPECT_NE(table.find(" width "), std::string::npos) << table;
  EXPECT_EQ(error_of([&] { model(zeros({1, 3})); }).substr(0, 14), "SymbolicModel:");
  EXPECT_EQ(error_of([&] { custom_name(y, "a.b"); }),
            "custom_name: expected a name without a dot, got a.b");
  EXPECT_EQ(error_of([&] { custom_name(y, ""); }),
            "custom_name: expected a name, got an empty one");
}

TEST(CustomName, DoesNotClashWithTheNamesOfLayers) {
  const Tensor x = Input({4});
  Tensor y = nn::Linear(4, 4)(x);
  y = nn::Linear(4, 4)(y, custom_name("Linear_1"));
  EXPECT_EQ(names_of(SymbolicModel(x, y)), "Linear_2 Linear_1 ");
}

// ---- The graph
// ---------------------------------------------------------------------------------

TEST(SymbolicGraph, ThreadsMayBuildOnOneGraph) {
  const Tensor x = Input({4});
  std::vector<std::thread> threads;
  std::vector<Tensor> ends(4);
  for (Tensor& end : ends) {
    threads.emplace_back([&x, &end] {
      for (int round = 0; round < 200; ++round) {
        Tensor y = x;
        for (int i = 0; i < 5; ++i) y = relu(y);
        children(x);
        end = y;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(children(x).size(), 4u);
  expect_tensor(SymbolicModel(x, {ends[0], ends[3]}).outputs(ones({1, 4}))[1], ones({1, 4}));
}

TEST(SymbolicGraph, AModelTakesExactlyTheAncestorsOfItsOutput) {
  std::vector<Tensor> nodes{Input({2}), Input({2})};
  std::vector<std::unordered_set<size_t>> ancestors{{0}, {1}};
  uint64_t state = 1;
  const auto draw = [&](size_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>(state >> 33) % n;
  };
  for (size_t i = 2; i < 2500; ++i) {
    const size_t a = draw(i), b = draw(i);
    nodes.push_back(nodes[a] + nodes[b]);
    std::unordered_set<size_t> all = ancestors[a];
    all.insert(ancestors[b].begin(), ancestors[b].end());
    all.insert(i);
    ancestors.push_back(std::move(all));
  }
  for (const size_t i : {size_t{2499}, size_t{1250}, size_t{2000}}) {
    const SymbolicModel model({nodes[0], nodes[1]}, nodes[i]);
    std::unordered_set<size_t> expected = ancestors[i];
    expected.insert({0, 1});
    const std::string table = model.summary();
    EXPECT_EQ(static_cast<size_t>(std::count(table.begin(), table.end(), '\n')) - 8,
              expected.size());
  }
}

TEST(SymbolicGraph, AMillionNodesBuildAndDie) {
  struct Pass final : Callable {
    std::string name() const override { return "pass"; }
    Tensors call(std::span<const Tensor> in) override { return Tensors(in); }
    std::shared_ptr<Callable> copy() const override { return std::make_shared<Pass>(); }
  };
  const auto pass = std::make_shared<Pass>();
  const Tensor x = Input({}, {.batch_shape = Shape{1}});
  {
    Tensor chain = x;
    std::vector<Tensor> fan;
    for (int i = 0; i < 500'000; ++i) {
      chain = call_symbolic(pass, std::array{chain}).front();
      fan.push_back(call_symbolic(pass, std::array{x}).front());
    }
    EXPECT_EQ(depth(chain), 500'000);
  }
  EXPECT_TRUE(children(x).empty());
}

TEST(SymbolicGraph, ACycleIsRefused) {
  const Tensor x = Input({2}), y = relu(x), z = exp(y);
  SymbolicCall& call = *node_of("", y).made_by();
  const Tensor before = std::exchange(call.arguments[0], z);
  EXPECT_EQ(error_of([&] { SymbolicModel(x, z); }),
            "SymbolicModel: the graph is not acyclic: ReLU of (None, 2) reads Exp of (None, 2), "
            "which was made later");
  call.arguments[0] = before;
}

// ---- Outputs added later
// ---------------------------------------------------------------------------------

TEST(Model, OutputsMayBeAdded) {
  const Tensor x = Input({3}), other = Input({4});
  const nn::Linear first(3, 4), head(4, 2);
  const Tensor h = first(x), y = relu(h);
  SymbolicModel model(x, h);
  const SymbolicModel handle = model;
  model.compile();
  model.add_output(head(y));
  model.add_output(y);
  EXPECT_EQ(handle.num_outputs(), 3u) << "copies are the same model";
  EXPECT_TRUE(handle.is_compiled());
  EXPECT_EQ(handle.num_parameters(), 16 + 10);
  const Tensor data = randn({2, 3});
  const Tensors out = handle.outputs(data);
  expect_tensor(out[0], first(data));
  expect_tensor(out[1], head(relu(first(data))));
  expect_tensor(out[2], relu(first(data)));
  EXPECT_EQ(error_of([&] { model.add_output(exp(y + other)); }),
            "SymbolicModel: the Input of (None, 4), read by Add_1, is not among the inputs");
  EXPECT_EQ(model.num_outputs(), 3u);
}

TEST(Model, GivesTheSymbolsOfItsRows) {
  const Tensor x = Input({3});
  SymbolicModel model = [&] {
    const Tensor h = nn::Linear(3, 4)(x)(nn::ReLU());
    return SymbolicModel(x, nn::Linear(4, 2)(custom_name(h * 2, "twice")));
  }();
  const SymbolicModel features(model.node("Input_1"), model.node("twice"));
  const SymbolicModel head(model.node("twice"), model.node("Linear_2"));
  const Tensor data = randn({5, 3});
  expect_equal(head(features(data)), model(data));
  EXPECT_EQ(error_of([&] { model.node("Linear"); }),
            "SymbolicModel::node: expected one of Input_1, Linear_1, ReLU_1, twice, Linear_2, got "
            "Linear");
  EXPECT_EQ(error_of([&] { model.detach_from_graph().node("twice"); }),
            "SymbolicModel::node: this model was detached from its graph");
}

TEST(Model, AddingAnOutputKeepsNamesAndChangesNothingWhenItFails) {
  const Tensor x = Input({4});
  const nn::Linear b(4, 3), a(4, 2);
  const Tensor later = b(x), first = a(x);  // `later` was made before
  SymbolicModel model(x, first);
  model.add_output(later);
  EXPECT_EQ(names_of(model), "Linear_1 Linear_2 ");
  EXPECT_EQ(model.children()[1].second->num_parameters(), 15);
  EXPECT_EQ(model.node("Linear_1").shape(), first.shape());
  const Tensor data = ones({2, 4});
  expect_tensor(model.outputs(data)[1], b(data));

  SymbolicModel stems(x, nn::Linear(4, 4)(x, custom_name("stem")));
  stems.add_output(nn::Linear(4, 2)(x, custom_name("stem")));
  EXPECT_EQ(names_of(stems), "stem stem_1 ");
  EXPECT_EQ(stems.outputs(data)[1].shape(), (Shape{2, 2}));

  SymbolicModel loop(x, nn::Linear(4, 4)(x));
  loop.compile();
  const Tensor twice = loop(loop(x));
  EXPECT_EQ(error_of([&] { loop.add_output(twice); }),
            "SymbolicModel::add_output: SymbolicModel_1 is this model or has it inside");
  EXPECT_EQ(loop.num_outputs(), 1u);
  EXPECT_TRUE(loop.is_compiled());
  EXPECT_EQ(loop(data).shape(), (Shape{2, 4}));
}

// ---- Misuse
// ---------------------------------------------------------------------------------

struct Opaque {
  Tensor inside;
};

TEST(Misuse, ASymbolThatIsNoArgumentIsRefused) {
  const Tensor x = Input({4});
  const Tensor hidden = (x * 2).sum();
  const std::string expected = "is used by a function or layer in the graph but is not among its";
  const auto refused = [&](const std::function<void()>& f) {
    const std::string message = error_of(f);
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  };
  refused([&] { add_to_graph([hidden](const Tensor& a) { return a * hidden; }, x); });
  refused([&] { nn::Lambda("f", [hidden](const Tensor& a) { return a * hidden; })(x); });
  refused([&] {
    add_to_graph([](const Opaque& o, const Tensor& a) { return a * o.inside; }, Opaque{hidden}, x);
  });
  // Not met while the graph was built.
  const Tensor late =
      add_to_graph([hidden](const Tensor& a) { return a.has_data() ? a * hidden : a * 1; }, x);
  refused([&] { SymbolicModel(x, late)(ones({2, 4})); });
  // A graph of its own inside of a function is its own affair.
  const Tensor own = add_to_graph(
      [](const Tensor& a) {
        const Tensor in = Input({4});
        return SymbolicModel(in, in * 3)(a);
      },
      x);
  expect_tensor(SymbolicModel(x, own)(ones({2, 4})), full({2, 4}, 3.0));
  EXPECT_EQ(add_to_graph([](const std::list<Tensor>& l) { return l.front() + l.back(); },
                         std::list<Tensor>{x, hidden})
                .shape(),
            x.shape());
}

TEST(Misuse, TheUnknownBatchIsNoNumber) {
  const Tensor x = Input({4});
  const std::string message = error_of([&] { x.size(0); });
  EXPECT_EQ(message.substr(0, 47), "size: dimension 0 follows the batch and is not ") << message;
  EXPECT_EQ(x.batch_size(), kUnknown);
  EXPECT_EQ(Input({4}, {.batch_size = 3}).size(0), 3);
  Tensor y = x;
  EXPECT_EQ(error_of([&] { y += 1; }),
            "add_: a symbolic tensor cannot be changed in place; use the form without _");
  EXPECT_NE(error_of([&] { x[10]; }).find("the unknown batch size stands as"), std::string::npos);
}

struct Auxiliary : nn::Layer<Auxiliary> {
  Tensors forward(const Tensor& x) const { return is_training() ? Tensors{x, x * 2} : Tensors{x}; }
};

TEST(Misuse, ResultsOfAnotherStructureAreRefused) {
  const Tensor x = Input({}, {.batch_size = 2});
  Auxiliary layer;
  const Tensors both = layer(x);
  SymbolicModel model(x, {both[0], both[1]});
  model.eval();
  const std::string fewer = "Auxiliary_1: expected 2 outputs, as when the graph was built, got 1";
  EXPECT_EQ(error_of([&] { model.outputs(ones({2})); }), fewer);
  model.compile();
  EXPECT_EQ(error_of([&] { model.outputs(ones({2})); }), fewer);

  using Either = std::pair<std::optional<Tensor>, std::optional<Tensor>>;
  const auto either = [](const Tensor& t) -> Either {
    if (!t.has_data() || t[0].item<float>() < 10) return {t * 2, std::nullopt};
    return {std::nullopt, t * 100};
  };
  using Named = std::map<std::string, Tensor>;
  const auto named = [](const Tensor& t) { return Named{{t.has_data() ? "a" : "b", t}}; };
  const std::string other =
      "Lambda_1: expected a result with the same sizes, keys and alternatives as when the graph "
      "was "
      "built";
  const auto [left, right] = add_to_graph(either, x);
  EXPECT_FALSE(right.has_value());
  const SymbolicModel choose(x, *left);
  expect_tensor(choose(ones({2})), full({2}, 2.0));
  EXPECT_EQ(error_of([&] { choose(full({2}, 50.0)); }), other);
  EXPECT_EQ(error_of([&] { SymbolicModel(x, add_to_graph(named, x).at("b"))(ones({2})); }), other);
}

TEST(Misuse, ModelsOfSymbolsTellHowToAskForThem) {
  const Tensor x = Input({4});
  const auto width = add_to_graph([](const Tensor& t) { return static_cast<int>(t.size(1)); }, x);
  const SymbolicModel count(x, width);
  const Tensor q = Input({4});
  EXPECT_EQ(error_of([&] { count.call<int>(q); }),
            "SymbolicModel: called on symbols, it gives symbols: use call<Symbolic<T>>");
  const auto symbol = count.call<Symbolic<int>>(q);
  EXPECT_EQ(SymbolicModel(q, symbol * 2).call<int>(ones({1, 4})), 8);
  const nn::Linear layer(4, 3);
  EXPECT_EQ(count.call<int>(layer.weight()), 4) << "a parameter is a tensor";
}

TEST(Names, OfInputsModelsFunctionsAndValues) {
  const Tensor x = Input({4}, {.name = "photo"}), other = Input({4});
  const SymbolicModel inner(other, relu(other));
  const Tensor y = x(inner, custom_name("encoder"));
  const auto n = CustomInput(3)([](int i) { return i + 1; }, custom_name("next"));
  const auto sum = custom_name(n + 1, "sum");
  EXPECT_EQ(
      error_of([&] { SymbolicModel(other, y); }),
      "SymbolicModel: the Input photo of (None, 4), read by encoder, is not among the inputs");
  const std::string table = SymbolicModel({x, AnySymbolic(parents(n)[0])}, {y, sum}).summary();
  for (const char* name : {" photo ", " encoder ", " next ", " sum ", " Input_1 "}) {
    EXPECT_NE(table.find(name), std::string::npos) << name << table;
  }
}

TEST(Lists, OfInputsForLayersAndModelsOfAnyNumber) {
  const Tensor x = Input({2});
  const std::vector<Tensor> list{x, x + 1, x * 2};
  const SymbolicModel model(x, nn::Concat(1)(list));
  expect_tensor(model(ones({1, 2})), tensor({{1.0, 1.0, 2.0, 2.0, 2.0, 2.0}}));
  const Tensors in{ones({1, 2})};
  expect_tensor(model(in), model.outputs(in)[0]);
}

}  // namespace
}  // namespace reprise
