#include "training.h"

#include <chrono>
#include <cmath>
#include <numeric>

using namespace reprise;

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Moves the means of `progress` on by one batch.
void add_batch(Progress& progress, const Tensor& logits, const Tensor& labels, double loss) {
  const auto count = static_cast<double>(labels.numel());
  const auto correct = (argmax(logits, 1) == labels).sum().item<double>();
  const double before = static_cast<double>(progress.images), after = before + count;
  progress.loss = (progress.loss * before + loss * count) / after;
  progress.accuracy = (progress.accuracy * before + correct) / after;
  progress.images += labels.numel();
  ++progress.batch;
}

void train_epoch(const Training& t, Progress& progress) {
  const auto start = std::chrono::steady_clock::now();
  for (const auto& [images, labels] : t.loader) {
    const Tensors results = t.step(images, labels);
    const auto value = results[0].item<double>();
    check(std::isfinite(value), ErrorKind::Value, "the loss became ", value, " in epoch ",
          progress.epoch, "; try a smaller learning rate");
    add_batch(progress, results[1], labels, value);
    progress.seconds = seconds_since(start);
    t.report(progress, false);
    if (t.stop) return;
  }
}

}  // namespace

void train(const Training& t) {
  t.model.train();
  for (int64_t epoch = 1; epoch <= t.epochs && !t.stop; ++epoch) {
    Progress progress{.epoch = epoch, .epochs = t.epochs, .batches = t.loader.size()};
    train_epoch(t, progress);
    t.report(progress, true);
    if (t.schedule != nullptr) t.schedule->step();
  }
}

int64_t Score::total_images() const {
  return std::accumulate(images.begin(), images.end(), int64_t{0});
}

int64_t Score::total_correct() const {
  return std::accumulate(correct.begin(), correct.end(), int64_t{0});
}

Score test(SymbolicModel& model, DataLoader& loader, const std::atomic<bool>& stop) {
  const NoGradGuard guard;
  model.eval();
  const size_t classes = loader.dataset().classes().size();
  Score score{std::vector<int64_t>(classes), std::vector<int64_t>(classes)};
  for (const auto& [images, labels] : loader) {
    const auto answers = argmax(model(images), 1).to_vector<int64_t>();
    const auto truths = labels.to_vector<int64_t>();
    for (size_t i = 0; i < truths.size(); ++i) {
      const auto label = static_cast<size_t>(truths[i]);
      ++score.images[label];
      score.correct[label] += answers[i] == truths[i];
    }
    if (stop) break;
  }
  return score;
}
