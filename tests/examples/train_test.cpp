// reprise-train as its users meet it: a process with arguments, output, files and an exit code.

#include "../../core/cuda.h"
#include "program.h"

namespace reprise {
namespace {

using testing::Outcome;
using testing::Process;
using Arguments = std::vector<std::string>;

class Train : public ::testing::Test {
 protected:
  void SetUp() override {
    if (program_.empty()) GTEST_SKIP() << "reprise-train is not beside the tests: REPRISE_PROGRAMS";
  }
  Outcome run(const Arguments& arguments, bool terminal = false) {
    return Process(folder_, program_, arguments, terminal).wait();
  }
  /// A training of a moment.
  static Arguments tiny(const Arguments& more = {}) {
    Arguments list{"--model", "mlp", "--train-images", "300", "--test-images", "200"};
    list.insert(list.end(), more.begin(), more.end());
    return list;
  }
  void expect_failure(const Arguments& arguments, const std::string& message) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.err;
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  }
  void expect_wrong_usage(const Arguments& arguments, const std::string& message) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_NE(outcome.err.find(message), std::string::npos) << outcome.err;
  }

  testing::TemporaryFolder folder_;
  std::string program_ = testing::program_path("reprise-train");
};

std::string last_line(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  return text.substr(text.rfind('\n', end) + 1);
}

/// The number before " %" on the last line.
double accuracy_of(const Outcome& outcome) {
  std::istringstream line(last_line(outcome.out));
  std::string word;
  double images = 0, correct = 0, percent = -1;
  line >> word >> images >> correct >> percent;
  return percent;
}

TEST_F(Train, HelpNamesTheOptions) {
  const Outcome outcome = run({"--help"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
  for (const char* option :
       {"--model", "--data", "--epochs", "--batch-size", "--lr", "--optimizer", "--seed",
        "--threads", "--device", "--compile", "--save", "--load", "--eval", "--draw"}) {
    EXPECT_NE(outcome.out.find(option), std::string::npos) << option;
  }
}

TEST_F(Train, WrongUsage) {
  expect_wrong_usage({"--model", "alexnet"}, "alexnet");
  expect_wrong_usage({"--data", "imagenet:x"}, "expected synthetic, mnist:DIR or cifar10:DIR");
  expect_wrong_usage({"--data", "mnist"}, "expected synthetic, mnist:DIR or cifar10:DIR");
  expect_wrong_usage({"--epochs", "0"}, "--epochs");
  expect_wrong_usage({"--epochs", "many"}, "--epochs");
  expect_wrong_usage({"--batch-size", "-1"}, "--batch-size");
  expect_wrong_usage({"--lr", "0"}, "--lr");
  expect_wrong_usage({"--optimizer", "lion"}, "lion");
  expect_wrong_usage({"--threads", "0"}, "--threads");
  expect_wrong_usage({"--eval"}, "--load");
  expect_wrong_usage({"--compile=maybe"}, "--compile");
  expect_wrong_usage({"--fast"}, "--fast");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "toy_resnet.safetensors"));
}

TEST_F(Train, TrainsTestsAndSaves) {
  const Outcome outcome = run(tiny({"--epochs", "2"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  for (const char* part : {"Linear", "\nepoch 1/2  loss ", "\nepoch 2/2  loss ", " images/s ",
                           "\nweights saved to mlp.safetensors\n", "\ncompiled: ",
                           " MB a step; eager: ", "\ndisc ", "\nbars ", "\ntest "}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << "in\n" << outcome.out;
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "mlp.safetensors"));
}

TEST_F(Train, DrawsTheModel) {
  const Outcome outcome = run(tiny({"--epochs", "1", "--draw", "mlp.gv"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string dot = testing::read_file(folder_ / "mlp.gv");
  EXPECT_EQ(dot.find("digraph "), 0u) << dot;
  EXPECT_NE(dot.find("[label=\"Linear_3\""), dot.npos) << dot;
  expect_failure(tiny({"--epochs", "100000", "--draw", "mlp.bmp"}), "ends in .dot, .gv, .svg");
  expect_failure(tiny({"--epochs", "100000", "--draw", "none/mlp.dot"}),
                 "none/mlp.dot: cannot be written: No such file or directory\n");
}

TEST_F(Train, EveryModelAndOptimizerRuns) {
  for (const char* model : {"toy_resnet", "net", "resnet20"}) {
    const Outcome outcome =
        run({"--model", model, "--optimizer", "sgd", "--schedule", "constant", "--epochs", "1",
             "--train-images", "70", "--test-images", "30", "--batch-size", "16"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  }
}

TEST_F(Train, LiveBarOnATerminal) {
  const Outcome outcome = run(tiny({"--epochs", "1"}), true);
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_NE(outcome.err.find("\repoch 1/1 ["), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.out.find("\nepoch 1/1  loss "), std::string::npos) << outcome.out;
}

TEST_F(Train, SameSeedSameNumbers) {
  const auto weights = [&](const char* seed, const char* threads) {
    run(tiny({"--epochs", "1", "--seed", seed, "--threads", threads}));
    return testing::read_file(folder_ / "mlp.safetensors");
  };
  const std::string first = weights("1", "1");
  EXPECT_EQ(weights("1", "2"), first);
  EXPECT_NE(weights("2", "1"), first);
}

/// With a last batch that is smaller, whose program is another, and a schedule.
TEST_F(Train, CompiledAndEagerGiveTheSameBits) {
  for (const char* model : {"mlp", "net", "toy_resnet"}) {
    const auto train = [&](const char* how, const char* optimizer) {
      const Outcome outcome =
          run({"--model", model, "--optimizer", optimizer, "--train-images", "70", "--test-images",
               "30", "--epochs", "2", how, "--save", "w"});
      EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
      return testing::read_file(folder_ / "w");
    };
    for (const char* optimizer : {"adam", "sgd"}) {
      const std::string compiled = train("--compile", optimizer);
      EXPECT_FALSE(compiled.empty());
      EXPECT_TRUE(compiled == train("--no-compile", optimizer)) << model << " " << optimizer;
    }
  }
}

TEST_F(Train, EagerRunsSayNothingOfPrograms) {
  const Outcome outcome = run(tiny({"--epochs", "1", "--compile=false"}));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("compiled"), std::string::npos) << outcome.out;
}

TEST_F(Train, SavedWeightsGiveTheSameAccuracy) {
  const Outcome trained = run(tiny({"--epochs", "3", "--save", "w.safetensors"}));
  const Outcome tested = run(tiny({"--load", "w.safetensors", "--eval"}));
  EXPECT_EQ(tested.exit_code, 0) << tested.err;
  EXPECT_EQ(last_line(tested.out), last_line(trained.out));
  EXPECT_EQ(tested.out.find("epoch"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "mlp.safetensors"));
}

TEST_F(Train, TrainingGoesOnFromLoadedWeights) {
  run(tiny({"--epochs", "3", "--save", "w"}));
  const Outcome more = run(tiny({"--epochs", "1", "--load", "w", "--save", "w"}));
  EXPECT_EQ(more.exit_code, 0) << more.err;
}

TEST_F(Train, CtrlCStopsAndSaves) {
  Process process(folder_, program_, tiny({"--epochs", "100000"}));
  ASSERT_TRUE(process.says("epoch 1/100000"));
  process.interrupt();
  const Outcome outcome = process.wait();
  EXPECT_EQ(outcome.exit_code, 130);
  EXPECT_NE(outcome.out.find("weights saved to mlp.safetensors"), std::string::npos);
  EXPECT_EQ(run(tiny({"--load", "mlp.safetensors", "--eval"})).exit_code, 0);
}

TEST_F(Train, BadFilesGiveOneSentence) {
  expect_failure({"--data", "mnist:nowhere"},
                 "nowhere/t10k-images-idx3-ubyte: cannot be read: No such file or directory\n");
  expect_failure({"--data", "cifar10:" + folder_.path()}, "test_batch.bin: cannot be read");
  expect_failure(tiny({"--load", "none"}), "none: cannot be read: No such file or directory\n");
  expect_failure(tiny({"--load", "."}), ".: cannot be read: it is a directory\n");
  folder_.write("bad", "abc");
  expect_failure(tiny({"--load", "bad"}), "bad: is too short");
}

TEST_F(Train, UnwritableFileFailsBeforeTheTraining) {
  expect_failure(tiny({"--save", "none/w", "--epochs", "100000"}),
                 "none/w: cannot be written: No such file or directory\n");
  expect_failure(tiny({"--save", ".", "--epochs", "100000"}),
                 "cannot be written: it is a directory");
}

TEST_F(Train, WeightsOfAnotherModelAreRefused) {
  run(tiny({"--epochs", "1", "--save", "w"}));
  expect_failure({"--model", "net", "--load", "w", "--eval"},
                 "w: expected weights of net, got those of mlp\n");
}

TEST_F(Train, DivergenceIsAFailure) {
  expect_failure(tiny({"--optimizer", "sgd", "--lr", "1e30", "--epochs", "50"}),
                 "try a smaller learning rate\n");
}

TEST_F(Train, MnistInOneEpochOnTenThousandImages) {
  const std::string mnist = testing::shared_data("mnist");
  if (mnist.empty()) GTEST_SKIP() << "no data: REPRISE_SHARED is not set";
  const Outcome outcome = run(
      {"--data", "mnist:" + mnist, "--model", "net", "--epochs", "1", "--train-images", "10000"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_GE(accuracy_of(outcome), 95) << outcome.out;
}

class LongTrain : public Train {};

TEST_F(LongTrain, ShapesByDefault) {
  const Outcome outcome = run({});
  EXPECT_GE(accuracy_of(outcome), 95) << outcome.out;
}

TEST_F(LongTrain, Mnist) {
  const std::string mnist = testing::shared_data("mnist");
  if (mnist.empty()) GTEST_SKIP() << "no data: REPRISE_SHARED is not set";
  const Outcome outcome = run({"--data", "mnist:" + mnist, "--model", "net", "--epochs", "2"});
  EXPECT_GE(accuracy_of(outcome), 98.5) << outcome.out;
}

TEST_F(LongTrain, Cifar10) {
  const std::string cifar10 = testing::shared_data("cifar10");
  if (cifar10.empty()) GTEST_SKIP() << "no data: REPRISE_SHARED is not set";
  const Outcome outcome = run({"--data", "cifar10:" + cifar10, "--epochs", "10"});
  EXPECT_GE(accuracy_of(outcome), 50) << outcome.out;
}

TEST_F(Train, RunsOnCudaOrSaysWhyNot) {
  const auto on = [&](const std::string& device) {
    return tiny({"--epochs", "1", "--device", device});
  };
  if (!cuda::is_available()) {
    return expect_failure(on("cuda"), "--device cuda: " + cuda::why_not_available());
  }
  const Outcome there = run(on("cuda")), here = run(on("cpu"));
  EXPECT_EQ(there.exit_code, 0) << there.err;
  EXPECT_NEAR(accuracy_of(there), accuracy_of(here), 2);
}

}  // namespace
}  // namespace reprise
