#include "random_training.h"

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/dispatch.h"
#include "../../core/ops/update.h"
#include "../../layers/clip_grad.h"

namespace reprise::test {
namespace {

class Training {
 public:
  Training(Dice& dice, const Tensors& inputs, const Tensors& captures, bool has_halves)
      : dice_(dice), inputs_(inputs), captures_(captures), has_halves_(has_halves) {}

  Tensors run() {
    const EnableGradGuard grad_mode;
    for (size_t i = 0; i < kTrained; ++i) {
      Tensor& leaf = leaves_.emplace_back(captures_[i].detach().requires_grad_());
      Tensor sum = captures_[kGradient + i];
      if (dice_.chance(30)) sum.fill_(0);
      if (dice_.chance(50)) leaf.set_grad(sum);
    }
    const Tensor logits = this->logits().to(float32);
    const Tensor loss = dice_.chance(50) ? cross_entropy(logits, argmax(logits.detach(), 1))
                                         : mean(mul(logits, logits));
    loss.backward();
    kept_.push_back(loss.detach());
    Tensors trained;
    for (const Tensor& leaf : leaves_) {
      if (leaf.grad().defined()) trained.push_back(leaf);
    }
    if (dice_.chance(30)) kept_.push_back(nn::clip_grad_norm_(trained, 1));
    if (dice_.chance(30)) kept_.push_back(trained.front().grad());
    const NoGradGuard no_grad;
    for (size_t i = 0; i < leaves_.size(); ++i) {
      if (leaves_[i].grad().defined() && dice_.chance(80)) step(i, leaves_[i].grad());
    }
    return kept_;
  }

 private:
  void step(size_t i, const Tensor& gradient) {
    const std::array in{captures_[kRate], captures_[i], gradient, captures_[kVelocity + i],
                        captures_[kStep + i]};
    dispatch(Model(SgdStep{.momentum = 0.9}), in);
  }

  /// Two linear layers, and convolutions in front where there is an image, in any precision.
  Tensor logits() {
    constexpr std::array kTypes{float32, float32, float16, bfloat16};
    const DType dtype = kTypes[static_cast<size_t>(dice_.below(has_halves_ ? 4 : 1))];
    const auto cast = [&](size_t i) { return leaves_[i].to(dtype); };
    Tensor y = inputs_.front();
    if (inputs_.size() > 1 && inputs_[1].dim() == 4 && dice_.chance(80)) {
      y = block(inputs_[1].to(dtype), cast(kFilter), cast(kFilterBias));
      if (dice_.chance(30)) y = block(y.slice(1, 0, 3), cast(kFilter), cast(kFilterBias));
      y = mean(y, {2, 3});
    }
    y = y.slice(1, 0, 8).to(dtype);
    y = linear(y, cast(kWeight).slice(1, 0, y.size(1)), cast(kBias));
    const Tensor before = y;
    y = activated(y);
    if (dice_.chance(20)) y = add(y, before);
    return activated(linear(y, cast(kWeight), dice_.chance(50) ? cast(kBias) : Tensor()));
  }

  Tensor activated(const Tensor& y) {
    switch (dice_.below(5)) {
      case 0: return relu(y);
      case 1: return gelu(y);
      case 2: return gelu(y, "tanh");
      case 3: return log_softmax(y, 1);
      default: return y;
    }
  }

  Tensor block(Tensor x, const Tensor& filter, const Tensor& bias) {
    if (dice_.chance(30)) x = x.to(channels_last);
    Tensor y = conv2d(x, filter, dice_.chance(50) ? bias : Tensor(), {.padding = 1});
    Tensor shortcut = dice_.chance(50) ? conv2d(x, filter, {}, {.padding = 1}) : y;
    if (dice_.chance(30)) shortcut = dice_.chance(50) ? relu(y) : y.to(channels_last);
    if (dice_.chance(80)) {
      y = batch_norm(y, captures_[kMean], captures_[kVar], leaves_[kScale], leaves_[kFilterBias],
                     {.training = dice_.chance(80)}, captures_[kCount]);
    }
    if (dice_.chance(50)) y = dice_.chance(50) ? add(y, shortcut) : add(shortcut, y);
    const Tensor sum = y;
    if (dice_.chance(70)) y = relu(y);
    if (dice_.chance(20)) kept_.push_back(y.detach());
    if (dice_.chance(40)) y = max_pool2d(y, dice_.between(2, 3), {.stride = 1});
    if (dice_.chance(10)) y = add(y, mean(sum));
    return y;
  }

  Dice& dice_;
  const Tensors &inputs_, &captures_;
  bool has_halves_;
  Tensors leaves_, kept_;
};

}  // namespace

Tensors train_once(Dice& dice, const Tensors& inputs, const Tensors& captures, bool has_halves) {
  return Training(dice, inputs, captures, has_halves).run();
}

}  // namespace reprise::test
