// reprise-train: trains a model on images, saves its weights and tests it.

#include <reprise/io/file.h>

#include <csignal>
#include <iostream>

#include "image_data.h"
#include "models.h"
#include "options.h"
#include "report.h"
#include "weights.h"

using namespace reprise;

namespace {

std::atomic<bool> stop = false;
static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler sets it");

/// The second Ctrl-C ends the program at once.
void stop_on_ctrl_c() {
  struct sigaction action {};
  action.sa_handler = [](int) { stop = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGINT, &action, nullptr);
}

Device device_of(const Options& o) {
  if (o.device == "cpu") return Device::cpu();
  check(cuda::is_available(), ErrorKind::Device, "--device cuda: ", cuda::why_not_available());
  return Device::cuda();
}

SymbolicModel make_model(const Options& o, const ImageData& data) {
  const auto classes = static_cast<int64_t>(data.test->classes().size());
  SymbolicModel model = known_models().at(o.model)(data.test->image_shape(), classes);
  model.to(device_of(o));
  return model;
}

std::unique_ptr<optim::Optimizer> make_optimizer(const Options& o, const SymbolicModel& model) {
  if (o.optimizer == "adam") {
    return std::make_unique<optim::Adam>(model.parameters(), optim::AdamOptions{.lr = o.lr});
  }
  return std::make_unique<optim::SGD>(model.parameters(),
                                      optim::SGDOptions{.lr = o.lr, .momentum = 0.9});
}

void train_and_save(const Options& o, const ImageData& data, SymbolicModel& model) {
  { AtomicFile(o.save); }  // a file that cannot be written fails now rather than after the training
  DataLoader loader(data.train, {.batch_size = o.batch_size,
                                 .shuffle = true,
                                 .seed = o.seed,
                                 .mean = data.mean,
                                 .std = data.std,
                                 .device = device_of(o)});
  const auto optimizer = make_optimizer(o, model);
  std::optional<optim::CosineAnnealingLR> cosine;
  if (o.schedule == "cosine") cosine.emplace(*optimizer, o.epochs);
  Step step(model, *optimizer, o.compile);
  Reporter reporter;
  train({model, step, cosine ? &*cosine : nullptr, loader, o.epochs, stop, std::ref(reporter)});
  save_weights(model, o.model, o.save);
  std::cout << "weights saved to " << o.save << std::endl;
}

/// On weights that nobody needs.
void compare_speed(const Options& o, const ImageData& data) {
  SymbolicModel model = make_model(o, data);
  const auto optimizer = make_optimizer(o, model);
  print_costs(measure_steps(model, *optimizer, o.batch_size, data.test->image_shape()));
}

ExitCode run(const Options& o) {
  if (o.threads > 0) set_num_threads(o.threads);
  manual_seed(o.seed);
  const ImageData data = load_images(o);
  const auto& classes = data.test->classes();
  SymbolicModel model = make_model(o, data);
  std::cout << model.summary() << std::endl;
  if (!o.draw.empty()) draw_graph(model, {.file = o.draw});
  if (!o.load.empty()) load_weights(model, o.model, o.load);
  if (!o.eval) train_and_save(o, data, model);
  if (stop) return kInterrupted;
  if (!o.eval && o.compile) compare_speed(o, data);
  if (o.compile) model.compile();
  DataLoader loader(
      data.test, {.batch_size = 100, .mean = data.mean, .std = data.std, .device = device_of(o)});
  const Score score = test(model, loader, stop);
  if (stop) return kInterrupted;
  print_score(score, classes);
  return kSuccess;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (const auto code = parse_options(argc, argv, options)) return *code;
  stop_on_ctrl_c();
  try {
    return run(options);
  } catch (const std::exception& error) {
    std::cerr << "reprise-train: " << error.what() << '\n';
    return kFailure;
  }
}
