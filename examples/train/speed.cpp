#include "speed.h"

#include <algorithm>
#include <chrono>

#include "step.h"

using namespace reprise;

namespace {

constexpr int kRounds = 5;

double seconds_of(Step& step, const Batch& batch) {
  const auto start = std::chrono::steady_clock::now();
  (void)step(batch.images, batch.labels)[0].item<double>();  // waits for a GPU
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The most that a first step, which makes the program, takes at one time.
int64_t bytes_of(Step& step, const Batch& batch, optim::Optimizer& optimizer) {
  optimizer.zero_grad();
  const bool on_cpu = batch.images.device() == Device::cpu();
  const auto stats = [&] { return on_cpu ? memory_stats() : cuda::memory_stats(); };
  const int64_t before = stats().in_use;
  on_cpu ? reset_peak_memory_stats() : cuda::reset_peak_memory_stats();
  step(batch.images, batch.labels);
  return stats().peak - before;
}

Batch random_batch(int64_t size, Shape image, Device device) {
  image.insert(0, size);
  return {rand(image).to(device), zeros({size}, {.dtype = int64, .device = device})};
}

}  // namespace

StepCosts measure_steps(SymbolicModel& model, optim::Optimizer& optimizer, int64_t batch_size,
                        const Shape& image) {
  const Batch batch = random_batch(batch_size, image, model.parameters()[0].device());
  Step compiled(model, optimizer, true), eager(model, optimizer, false);
  seconds_of(eager, batch);  // makes the state of the optimizer
  StepCosts costs{{0, bytes_of(compiled, batch, optimizer)},
                  {0, bytes_of(eager, batch, optimizer)}};
  for (int round = 0; round < kRounds; ++round) {
    for (auto [cost, step] : {std::pair(&costs.compiled, &compiled), {&costs.eager, &eager}}) {
      const double speed = static_cast<double>(batch_size) / seconds_of(*step, batch);
      cost->images_per_second = std::max(cost->images_per_second, speed);
    }
  }
  return costs;
}
