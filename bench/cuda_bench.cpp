// The first CUDA device. Calls are timed in batches that end with one synchronization, so that the
// host may run ahead as it does in use; bench/peers/torch_cuda_bench.py does the same.

#include "cuda_bench.h"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>

#include "../core/autocast.h"
#include "../core/device_context.h"
#include "linear_chain.h"
#include "resnet50.h"
#include "toy_resnet.h"

namespace reprise_bench {
namespace {

using namespace reprise;
using Clock = std::chrono::steady_clock;

/// What is measured; the other sizes only show that it runs.
struct Sizes {
  double batch_seconds = 0.05;
  int64_t batches = 7, launches = 50;
  int64_t bytes = int64_t{1} << 30;  // of an operand that is moved
  int64_t matrix = 8192;
  std::vector<int64_t> pixels{16, 32, 64};
  int64_t toy_images = 128, images = 64;
  int64_t resnet_pixels = 224, resnet_classes = 1000, resnet_width = 64;
};
const Sizes kTiny{0, 1, 1, int64_t{1} << 18, 64, {16}, 1, 2, 32, 10, 4};
Sizes sizes;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double seconds_for(int64_t calls, const auto& f) {
  const auto start = Clock::now();
  for (int64_t i = 0; i < calls; ++i) f();
  cuda::synchronize();
  return seconds_since(start);
}

/// `batch` returns the seconds of one call.
void time_batches(benchmark::State& state, const auto& batch) {
  double fastest = 1e9, slowest = 0;
  for (auto _ : state) {
    const double seconds = batch();
    fastest = std::min(fastest, seconds);
    slowest = std::max(slowest, seconds);
    state.SetIterationTime(seconds);
  }
  state.counters["fastest_us"] = fastest * 1e6;
  state.counters["slowest_us"] = slowest * 1e6;
}

/// An iteration is a batch of calls; its time is that of one call.
void time_on_device(benchmark::State& state, const auto& f) {
  f();
  cuda::synchronize();
  int64_t calls = 1;
  while (seconds_for(calls, f) < sizes.batch_seconds && calls < 100000) calls *= 2;
  time_batches(state, [&] { return seconds_for(calls, f) / static_cast<double>(calls); });
}

// --- what moves bytes ---

/// On one GiB. `passes`: how often f reads or writes the bytes of its operand.
void on_one_gibibyte(benchmark::State& state, int64_t passes, const auto& f) {
  const NoGradGuard guard;
  const Tensor x = randn({1024, sizes.bytes / 4096}, {.device = Device::cuda()});
  time_on_device(state, [&] { benchmark::DoNotOptimize(f(x)); });
  state.counters["bytes"] = static_cast<double>(passes * sizes.bytes);
}

/// What the driver copies by itself: the speed that the others are held against.
void memcpy_(benchmark::State& state) {
  const Tensor y = empty({sizes.bytes / 4}, {.device = Device::cuda()});
  on_one_gibibyte(state, 2, [&](const Tensor& x) {
    detail::device_context(y.device(), "memcpy")
        .runtime()
        .copy({y.raw_data(), y.device()}, {x.raw_data(), x.device()},
              static_cast<size_t>(sizes.bytes), cuda::current_stream().handle());
    return y;
  });
}
void copy(benchmark::State& state) {
  on_one_gibibyte(state, 2, [](const Tensor& x) { return x.clone(); });
}
void relu_(benchmark::State& state) {
  on_one_gibibyte(state, 2, [](const Tensor& x) { return relu(x); });
}
void exp_(benchmark::State& state) {
  on_one_gibibyte(state, 2, [](const Tensor& x) { return exp(x); });
}
void add_(benchmark::State& state) {
  const Tensor y = randn({1024, sizes.bytes / 4096}, {.device = Device::cuda()});
  on_one_gibibyte(state, 3, [&](const Tensor& x) { return x + y; });
}
void sum_all(benchmark::State& state) {
  on_one_gibibyte(state, 1, [](const Tensor& x) { return sum(x); });
}
void sum_rows(benchmark::State& state) {
  on_one_gibibyte(state, 1, [](const Tensor& x) { return sum(x, {1}); });
}
void sum_columns(benchmark::State& state) {
  on_one_gibibyte(state, 1, [](const Tensor& x) { return sum(x, {0}); });
}
/// Rows of that many elements.
void softmax_(benchmark::State& state) {
  on_one_gibibyte(state, 2, [&](const Tensor& x) {
    return softmax(x.reshape({x.numel() / state.range(0), state.range(0)}), 1);
  });
}

// --- matrix products ---

void matmul_(benchmark::State& state, DType dtype) {
  const NoGradGuard guard;
  const int64_t n = state.range(0);
  const Tensor a = randn({n, n}, {.device = Device::cuda()}).to(dtype);
  const Tensor b = randn({n, n}, {.device = Device::cuda()}).to(dtype);
  time_on_device(state, [&] { benchmark::DoNotOptimize(matmul(a, b)); });
  state.counters["flop"] = 2.0 * static_cast<double>(n * n * n);
}

// --- the toy ResNet ---

SymbolicModel toy_resnet_there(int64_t pixels) {
  SymbolicModel model = toy_resnet(pixels);
  model.to(Device::cuda());
  return model;
}

void forward(benchmark::State& state) {
  const NoGradGuard guard;
  SymbolicModel model = toy_resnet_there(state.range(1));
  model.eval();
  const Tensor images = Batch(state.range(0), state.range(1)).images.cuda();
  time_on_device(state, [&] { benchmark::DoNotOptimize(model(images)); });
}

void program_forward(benchmark::State& state) {
  const NoGradGuard guard;
  SymbolicModel model = toy_resnet_there(state.range(1));
  model.eval();
  const Tensor images = Batch(state.range(0), state.range(1)).images.cuda();
  Program program = compile(model_function(model), {images});
  const Tensor out = program(images);
  time_on_device(state, [&] { program.run({images}, {out}); });
  state.SetLabel(program.replay());
}

/// A model in training with one batch on the device.
struct Training {
  SymbolicModel model;
  Tensor images, labels;
  optim::SGD optimizer;

  Training(SymbolicModel m, const Batch& batch, MemoryFormat format = contiguous_format)
      : model(on_device(std::move(m), format)),
        images(batch.images.cuda().to(format)),
        labels(batch.labels.cuda()),
        optimizer(model.parameters(), {.lr = 0.01, .momentum = 0.9}) {}

  Tensor step() {
    optimizer.zero_grad();
    const Tensor loss = nn::functional::cross_entropy(model(images), labels);
    loss.backward();
    optimizer.step();
    return loss;
  }
  TrainingStep compile() {
    return compile_training_step(model, nn::CrossEntropyLoss(), optimizer, {images, labels});
  }

 private:
  static SymbolicModel on_device(SymbolicModel m, MemoryFormat format) {
    m.to(Device::cuda());
    m.to(format);
    return m;
  }
};

void time_training(benchmark::State& state, Training training, bool mixed = false) {
  const AutocastGuard guard(Device::Kind::cuda, bfloat16, mixed);
  time_on_device(state, [&] { benchmark::DoNotOptimize(training.step()); });
}

void time_compiled_training(benchmark::State& state, Training training, bool mixed = false) {
  const AutocastGuard guard(Device::Kind::cuda, bfloat16, mixed);
  TrainingStep step = training.compile();
  const std::array inputs{training.images, training.labels};
  const Tensors outputs = step.call(inputs);
  time_on_device(state, [&] { step.run(inputs, outputs); });
  state.SetLabel(step.program().replay());
}

void train(benchmark::State& state) { time_training(state, {toy_resnet(), Batch(state.range(0))}); }
void program_train(benchmark::State& state) {
  time_compiled_training(state, {toy_resnet(), Batch(state.range(0))});
}

/// What the host needs to start a step that was captured; the device is far behind. With
/// `new_batches` the inputs of each step lie elsewhere.
template <bool new_batches>
void launch_step(benchmark::State& state) {
  Training training(toy_resnet(), Batch(state.range(0)));
  TrainingStep step = training.compile();
  const std::array inputs{training.images, training.labels};
  const std::array others{training.images.clone(), training.labels.clone()};
  const Tensors outputs = step.call(inputs);
  for (int i = 0; i < 3; ++i) step.run(inputs, outputs);
  time_batches(state, [&] {
    cuda::synchronize();
    const auto start = Clock::now();
    for (int64_t i = 0; i < sizes.launches; ++i) {
      step.run(new_batches && i % 2 == 0 ? others : inputs, outputs);
    }
    return seconds_since(start) / static_cast<double>(sizes.launches);
  });
  cuda::synchronize();
  state.SetLabel(step.program().replay());
}

// --- ResNet-50 ---

/// In 16 bits as GPUs like it best, channels-last.
Training resnet50_training(int64_t images, bool mixed) {
  return {resnet50(sizes.resnet_pixels, sizes.resnet_classes, sizes.resnet_width),
          Batch(images, sizes.resnet_pixels, sizes.resnet_classes),
          mixed ? channels_last : contiguous_format};
}

template <bool mixed>
void resnet50_train(benchmark::State& state) {
  time_training(state, resnet50_training(state.range(0), mixed), mixed);
}
template <bool mixed>
void program_resnet50_train(benchmark::State& state) {
  time_compiled_training(state, resnet50_training(state.range(0), mixed), mixed);
}

/// What fails leaves the others their rows.
benchmark::internal::Benchmark* add(const std::string& name, void (*f)(benchmark::State&)) {
  const auto guarded = [f](benchmark::State& state) {
    try {
      f(state);
    } catch (const std::exception& error) {
      state.SkipWithError(error.what());
    }
  };
  return benchmark::RegisterBenchmark(("cuda/" + name).c_str(), guarded)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(sizes.batches);
}

}  // namespace

void register_cuda_benchmarks(bool tiny) {
  if (tiny) sizes = kTiny;
  add("memcpy", memcpy_);
  add("copy", copy);
  add("relu", relu_);
  add("exp", exp_);
  add("add", add_);
  add("sum", sum_all);
  add("sum_rows", sum_rows);
  add("sum_columns", sum_columns);
  add("softmax", softmax_)->Arg(1024)->Arg(65536);
  const int64_t n = sizes.matrix;
  add("matmul/float32", [](benchmark::State& s) { matmul_(s, float32); })->Arg(n);
  add("matmul/float16", [](benchmark::State& s) { matmul_(s, float16); })->Arg(n);
  add("matmul/bfloat16", [](benchmark::State& s) { matmul_(s, bfloat16); })->Arg(n);
  for (const int64_t pixels : sizes.pixels) {
    add("toy_resnet/forward", forward)->Args({4, pixels});
    add("program/toy_resnet/forward", program_forward)->Args({4, pixels});
  }
  add("toy_resnet/train", train)->Arg(sizes.toy_images);
  add("program/toy_resnet/train", program_train)->Arg(sizes.toy_images);
  add("program/toy_resnet/launch", launch_step<false>)->Arg(sizes.toy_images);
  add("program/toy_resnet/launch/new_batches", launch_step<true>)->Arg(sizes.toy_images);
  add("resnet50/train/bfloat16", resnet50_train<true>)->Arg(sizes.images);
  add("program/resnet50/train/bfloat16", program_resnet50_train<true>)->Arg(sizes.images);
  add("resnet50/train", resnet50_train<false>)->Arg(sizes.images);
  add("program/resnet50/train", program_resnet50_train<false>)->Arg(sizes.images);
}

}  // namespace reprise_bench
