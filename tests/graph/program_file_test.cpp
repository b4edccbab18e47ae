// Programs whose files were damaged: they are refused, or run without harm.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cctype>
#include <filesystem>
#include <random>

#include "../../core/ops.h"
#include "../../graph/training_step.h"
#include "../../io/safetensors.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"

namespace reprise {
namespace {

constexpr size_t kMostBytes = size_t{64} << 20;  // what is larger is loaded, but not run

std::string saved_training_step() {
  nn::Sequential net{nn::Conv2d(2, 4, 3, {.padding = 1}),
                     nn::BatchNorm2d(4),
                     nn::ReLU(),
                     nn::MaxPool2d(2),
                     nn::Flatten(),
                     nn::Dropout(0.3),
                     nn::Linear(4 * 3 * 3, 5)};
  optim::Adam adam(net.parameters(), {.lr = 0.01});
  const auto step = [&](const Tensor& x, const Tensor& target) {
    const Tensor loss = nn::CrossEntropyLoss()(net(x), target);
    loss.backward();
    adam.step();
    return loss;
  };
  const auto folder = std::filesystem::temp_directory_path();
  const std::string path = folder / ("reprise_damaged_" + std::to_string(::getpid()));
  compile(step, {Meta({2, 2, 6, 6}, float32), Meta({2}, int64)}).save(path);
  return path;
}

/// One or two numbers replaced.
std::string damaged(std::string text, uint64_t seed) {
  std::mt19937_64 random(seed);
  constexpr std::array values{"0", "1",  "2",  "3",  "4",   "5",    "7",
                              "8", "12", "16", "-1", "100", "1000", "true"};
  const auto digit = [&](size_t i) {
    return std::isdigit(static_cast<unsigned char>(text[i])) != 0;
  };
  for (uint64_t left = 1 + random() % 2; left > 0; --left) {
    std::vector<size_t> numbers;
    for (size_t i = 1; i < text.size(); ++i) {
      if (digit(i) && !digit(i - 1)) numbers.push_back(i);
    }
    const size_t at = numbers[random() % numbers.size()];
    size_t end = at;
    while (end < text.size() && digit(end)) ++end;
    text.replace(at, end - at, values[random() % values.size()]);
  }
  return text;
}

bool runs(const std::string& path) {
  try {
    Program program = Program::load(path);
    const ProgramMemory memory = program.memory();
    if (memory.arena + memory.inputs + memory.outputs > kMostBytes) return false;
    Tensors in;
    for (const ValueId id : program.graph().inputs) {
      const Meta& meta = program.graph().meta(id);
      in.push_back(full(meta.shape, 1, {.dtype = meta.dtype}));
    }
    program.call(in);
    program.call(in);
    return true;
  } catch (const Error& error) {
    EXPECT_NE(error.kind(), ErrorKind::Internal) << error.what();
    return false;
  }
}

TEST(ProgramFile, IsRefusedOrHarmlessWhenDamaged) {
  const std::string path = saved_training_step();
  const SafeTensors file = load_safetensors(path);
  const std::string& text = file.metadata.at("reprise.graph");
  EXPECT_TRUE(runs(path));
  int ran = 0;
  for (uint64_t seed = 0; seed < 600; ++seed) {
    save_safetensors(path, file.tensors, {{"reprise.graph", damaged(text, seed)}});
    SCOPED_TRACE(seed);
    ran += runs(path);
  }
  EXPECT_GT(ran, 0);
  EXPECT_LT(ran, 300);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace reprise
