#include "random_graphs.h"

#include <limits>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/ops/host_call.h"
#include "random_training.h"

namespace reprise::test {
namespace {

bool hard_values(uint64_t seed) { return seed % 16 == 3; }
bool large(uint64_t seed) { return seed % 64 == 5; }

Tensor draw(Dice& dice, const Meta& meta, bool hard) {
  const auto one = [&]() -> double {
    if (meta.dtype == bool_) return static_cast<double>(dice.below(2));
    if (meta.dtype == int64) return static_cast<double>(dice.between(-5, 5));
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr std::array kHard{kInfinity, -kInfinity, -0.0,
                               std::numeric_limits<double>::quiet_NaN(), 1e-42};
    if (hard && dice.chance(5)) return kHard[static_cast<size_t>(dice.below(kHard.size()))];
    return static_cast<double>(dice.between(-2048, 2048)) / 1024;
  };
  std::vector<double> values(static_cast<size_t>(meta.numel()));
  for (double& v : values) v = one();
  const Tensor dense =
      tensor(values, {.dtype = float64}).to(meta.dtype).reshape(meta.shape).to(meta.device);
  return meta.is_contiguous() || meta.dim() < 2 ? dense : dense.transpose(0, 1).clone().t();
}

bool is_real(const Tensor& x) { return is_floating_point(x.dtype()); }

/// Whether elements have places of their own, so that they may be written.
bool writable(const Tensor& x) {
  if (x.dtype() == bool_) return false;
  for (size_t d = 0; d < x.shape().size(); ++d) {
    if (x.strides()[d] == 0 && x.shape()[d] > 1) return false;
  }
  return true;
}

/// The shape that two broadcast to, if they do.
std::optional<Shape> common_shape(const Shape& a, const Shape& b) {
  const Shape& longer = a.dim() >= b.dim() ? a : b;
  const Shape& shorter = a.dim() >= b.dim() ? b : a;
  Shape out = longer;
  const size_t skipped = longer.size() - shorter.size();
  for (size_t d = 0; d < shorter.size(); ++d) {
    int64_t& size = out[skipped + d];
    if (size == 1) size = shorter[d];
    if (shorter[d] != size && shorter[d] != 1) return {};
  }
  return out;
}

/// One run: a pool of tensors, to which each step adds what it made of some of them.
class Walk {
 public:
  Walk(uint64_t seed, const Tensors& inputs, const Tensors& captures, bool has_halves)
      : dice_(seed),
        inputs_(inputs),
        captures_(captures),
        limit_(large(seed) ? 40000 : 300),
        has_halves_(has_halves),
        leaves_gpu_(seed % 2 == 0 && inputs.front().device().kind == Device::Kind::cuda) {
    for (const Tensor& x : inputs) pool_.push_back(x);
  }

  Tensors run() {
    const int64_t most = dice_.between(5, 200);
    const int64_t steps = dice_.between(5, most);
    for (int64_t i = 0; i < steps; ++i) {
      if (leaves_gpu_ && dice_.chance(5)) leave_gpu();
      (this->*kSteps[random_step()])();
    }
    Tensors out;
    for (int64_t k = dice_.between(1, 5); k-- > 0;) out.push_back(pick());
    if (dice_.chance(20)) out.push_back(out.front());
    if (dice_.chance(20)) out.push_back(inputs_.front());
    return out;
  }

 private:
  using Step = void (Walk::*)();

  size_t random_step() { return static_cast<size_t>(dice_.below(std::size(kSteps))); }

  // ---- Choosing

  Tensor pick() {
    const auto n = static_cast<int64_t>(pool_.size());
    const int64_t back = dice_.chance(70) ? dice_.below(std::min<int64_t>(n, 8)) : dice_.below(n);
    return pool_[static_cast<size_t>(n - 1 - back)];
  }
  /// One for which `wanted` holds; the first input when none is found soon.
  template <class F>
  Tensor pick_if(F wanted) {
    for (int tries = 0; tries < 8; ++tries) {
      Tensor x = pick();
      if (wanted(x)) return x;
    }
    return inputs_.front();
  }
  Tensor pick_real() { return pick_if(is_real); }
  Tensor pick_full() {
    return pick_if([](const Tensor& x) { return is_real(x) && x.numel() > 0 && x.dim() > 0; });
  }
  Tensor pick_matrix() {
    return pick_if([](const Tensor& x) { return is_real(x) && x.numel() > 0 && x.dim() == 2; });
  }
  /// One that broadcasts with x, not beyond the limit.
  Tensor partner(const Tensor& x) {
    const Tensor y = pick_if([&](const Tensor& t) {
      const auto shape = common_shape(x.shape(), t.shape());
      return shape && shape->numel() <= limit_;
    });
    return common_shape(x.shape(), y.shape()) ? y : x;
  }
  /// One of the same dtype that broadcasts to the shape of x.
  Tensor source_for(const Tensor& x) {
    const auto fits = [&](const Tensor& t) {
      return t.dtype() == x.dtype() && common_shape(x.shape(), t.shape()) == x.shape();
    };
    const Tensor y = pick_if(fits);
    return fits(y) ? y : x;
  }
  int64_t any_dim(const Tensor& x) { return dice_.below(x.dim()); }
  Scalar number(const Tensor& x) {
    constexpr std::array kReal{0.0, 1.0, -1.0, 2.0, 0.5, 0.3};
    if (is_real(x)) return kReal[static_cast<size_t>(dice_.below(kReal.size()))];
    return dice_.between(-1, 1);
  }

  // ---- Keeping

  void keep(const Tensor& x) {
    if (x.numel() > limit_) return;
    if (pool_.size() > 6 && dice_.chance(15)) {  // forgotten: its memory is free then
      pool_.erase(pool_.begin() + dice_.below(static_cast<int64_t>(pool_.size())));
    }
    pool_.push_back(x);
  }
  /// Values that stay where arithmetic makes sense.
  void keep_tame(const Tensor& x) {
    if (!is_real(x)) return keep(x.dtype() == bool_ ? x : clamp(x, -100, 100));
    keep(dice_.chance(50) ? tanh(x) : clamp(x, -8.0, 8.0));
  }

  // ---- Steps

  void unary() {
    const Tensor x = pick_real();
    switch (dice_.below(10)) {
      case 0: return keep(neg(x));
      case 1: return keep(abs(x));
      case 2: return keep(sign(x));
      case 3: return keep(relu(x));
      case 4: return keep(exp(clamp(x, {}, 3)));
      case 5: return keep(log(add(abs(x), 1)));
      case 6: return keep(sqrt(abs(x)));
      case 7: return keep(tanh(x));
      case 8: return keep(sigmoid(x));
      default: return keep(clamp(x, -1, 1));
    }
  }

  void binary() {
    const Tensor x = pick();
    const Tensor y = partner(x);
    switch (dice_.below(6)) {
      case 0: return keep_tame(mul(x, y));
      case 1: return keep_tame(sub(x, y));
      case 2: return keep(maximum(x, y));
      case 3: return keep(minimum(x, y));
      case 4: return keep_tame(div(x, add(mul(y, y), 1)));
      default: return keep_tame(add(x, y));
    }
  }

  void with_number() {
    const Tensor x = pick();
    const Scalar s = number(x);
    switch (dice_.below(6)) {
      case 0: return keep(add(x, s));
      case 1: return keep(mul(x, s));
      case 2: return keep(sub(s, x));
      case 3: return keep(div(x, 2));
      case 4: return keep(maximum(x, s));
      default: return keep_tame(pow(x, 2));
    }
  }

  void compare() {
    const Tensor x = pick_real();
    const Tensor y = partner(x);
    const Tensor smaller = dice_.chance(50) ? lt(x, y) : ge(x, number(x));
    keep(smaller);
    if (dice_.chance(70)) keep(where(smaller, x, number(x)));
  }

  void reduce() {
    const Tensor x = pick_full();
    const int64_t d = any_dim(x);
    const bool keepdim = dice_.chance(50);
    switch (dice_.below(7)) {
      case 0: return keep_tame(sum(x, d, keepdim));
      case 1: return keep(mean(x));
      case 2: return keep(softmax(x, d));
      case 3: return keep(log_softmax(x, d));
      case 4: return keep(argmax(x, d, keepdim));
      case 5: return keep(mean(x, d, keepdim));
      default: break;
    }
    const auto [values, indices] = max(x, d, keepdim);
    keep(values);
    keep(indices);
  }

  void product() {
    const Tensor x = pick_matrix();
    if (x.size(1) > 8 || dice_.chance(50)) return keep_tame(matmul(x, t(x)));
    const Tensor weight = slice(captures_[kWeight], 1, 0, x.size(1));
    const Tensor y = linear(x.to(float32), weight, captures_[kBias]);
    keep(dice_.chance(50) ? relu(y) : y);
  }

  Tensor view_of(const Tensor& x) {
    if (x.dim() == 0) return unsqueeze(x, 0);
    const int64_t d = any_dim(x);
    const int64_t n = x.size(d);
    switch (dice_.below(6)) {
      case 0: return transpose(x, d, 0);
      case 1: return unsqueeze(x, d);
      case 2: return n == 1 ? squeeze(x, d) : transpose(x, d, -1);
      case 3: return n == 0 ? x : select(x, d, dice_.below(n));
      default: break;
    }
    const int64_t begin = dice_.below(n + 1);
    return slice(x, d, begin, dice_.between(begin, n), dice_.between(1, 2));
  }

  void view() {
    const Tensor x = pick();
    if (dice_.chance(60)) return keep(view_of(x));
    if (dice_.chance(40)) return keep(reshape(x, {-1, x.numel() == 0 ? 1 : last_size(x)}));
    Shape wide = x.shape();
    wide.insert(0, dice_.between(1, 3));
    keep(expand(x, wide));
  }
  static int64_t last_size(const Tensor& x) { return x.dim() == 0 ? 1 : x.size(-1); }

  void in_place() {
    Tensor whole =
        dice_.chance(20) ? captures_[dice_.chance(50) ? kState : kPartOfState] : pick_if(writable);
    if (!writable(whole)) return;
    Tensor x = dice_.chance(40) ? view_of(whole) : whole;
    const Tensor y = source_for(x);
    switch (dice_.below(6)) {
      case 0: x.add_(y); break;
      case 1: x.mul_(is_real(x) ? tanh(y) : sign_of(y)); break;
      case 2: x.fill_(number(x)); break;
      case 3: x.copy_(y); break;
      case 4: x.mul_(number(x)); break;
      default: x.sub_(number(x)); break;
    }
    if (dice_.chance(30)) keep(x);
    if (dice_.chance(30)) keep(add(whole, 1));
  }
  static Tensor sign_of(const Tensor& x) { return clamp(x, -1, 1); }

  void join() {
    const Tensor x = pick_if([](const Tensor& t) { return t.dim() > 0; });
    const Tensor y = source_for(x);
    const bool same = x.shape() == y.shape();
    if (2 * x.numel() > limit_) return;
    keep(dice_.chance(50) ? cat({x, same ? y : x}, any_dim(x)) : stack({x, same ? y : x}, 0));
  }

  void index() {
    const Tensor x = pick_full();
    const int64_t d = any_dim(x);
    keep(gather(x, d, argmax(x, d, true)));
  }

  void convert() {
    const Tensor x = pick();
    switch (dice_.below(4)) {
      case 0: return keep(is_real(x) ? x.to(float64) : x.to(float32));
      case 1: return keep(is_real(x) ? x.to(float32) : x.to(int64));
      case 2: return keep(clone(x));
      default: return keep(x.contiguous());
    }
  }

  void random() {
    const Tensor x = pick_real();
    if (dice_.chance(50)) return keep(dropout(x, 0.4));
    const TensorOptions here{.device = x.device()};
    keep(dice_.chance(50) ? rand(x.shape(), here) : randn({dice_.between(0, 5)}, here));
  }

  void make() {
    const Tensor x = pick();
    const TensorOptions here{.device = x.device()};
    if (dice_.chance(30)) return keep(arange(dice_.between(0, 6), here));
    keep(dice_.chance(50) ? zeros_like(x) : full(x.shape(), number(x), here));
  }

  void capture() {
    Tensor count = captures_[kCount];
    if (dice_.chance(30)) count.add_(1);
    constexpr std::array kAny{kState, kPartOfState, kWide, kCount};
    const Tensor x = captures_[kAny[static_cast<size_t>(dice_.below(kAny.size()))]];
    keep(neg(x));  // what no op has read cannot be returned
    keep(x);
  }

  void network() {
    if (inputs_.size() < 2 || inputs_[1].dim() != 4) return product();
    const Tensor x = inputs_[1];
    const Tensor filter = captures_[kFilter], bias = captures_[kFilterBias];
    Tensor y = conv2d(x, filter, bias, {.padding = 1});
    const bool training = dice_.chance(50);
    if (dice_.chance(50)) {
      y = batch_norm(y, captures_[kMean], captures_[kVar], bias, {}, {.training = training},
                     captures_[kCount]);
    }
    if (dice_.chance(50)) y = relu(y);
    if (dice_.chance(30)) y = relu(add(y, slice(x, 1, 0, 1)));
    if (dice_.chance(30)) y = max_pool2d(y, 2);
    keep(y);
    if (dice_.chance(50)) keep(mean(y, {2, 3}));
  }

  /// What the host does between kernels: a C++ function, which may draw numbers, or copies.
  void leave_gpu() {
    const Tensor x = pick_full();
    if (dice_.chance(50)) return keep(x.cpu().to(x.device()));
    const bool draws = dice_.chance(50);
    const HostFunction f = [draws](const Tensors& in) {
      return Tensors{draws ? in[0] + rand({}, {.device = in[0].device()}) : in[0].neg()};
    };
    keep(host_call("f", f, {x}, std::array{Meta(x.shape(), x.dtype())})[0]);
  }

  /// backward through a few calls, or grad, or grad of grad.
  void differentiate() {
    const EnableGradGuard grad_mode;
    const Tensor start = pick_full();
    Tensor x = dice_.chance(50) ? start.detach().clone() : start.detach();
    x.requires_grad_();
    Tensor y = x;
    for (int64_t k = dice_.between(1, 4); k-- > 0;) y = differentiable(y);
    y = add(y, mean(captures_[kParam]));
    if (dice_.chance(50)) y = mul(y, mean(captures_[kFreshParam]));
    const Tensor loss = y.dim() == 2 && dice_.chance(50) ? cross_entropy(y, argmax(y.detach(), 1))
                                                         : mean(mul(y, y));
    if (dice_.chance(30)) {
      const Tensors gradients = grad({loss}, {x}, {.create_graph = true});
      sum(mul(gradients[0], gradients[0])).backward();
      if (x.grad().defined()) keep(x.grad());
      return keep(gradients[0].detach());
    }
    loss.backward();
    if (captures_[kFreshParam].grad().defined()) keep(captures_[kFreshParam].grad());
    keep(x.grad());
    keep(loss.detach());
  }

  void train() {
    for (const Tensor& x : train_once(dice_, inputs_, captures_, has_halves_)) keep(x);
  }

  Tensor differentiable(const Tensor& x) {
    switch (dice_.below(7)) {
      case 0: return tanh(x);
      case 1: return mul(x, sigmoid(x));
      case 2: return softmax(x, -1);
      case 3: return x.dim() == 2 ? matmul(x, t(x)) : relu(x);
      case 4: return dropout(x, 0.3);
      case 5: return x.size(0) > 1 ? slice(x, 0, 0, x.size(0), 2) : x;
      default: return sub(x, mean(x, any_dim(x), true));
    }
  }

  static constexpr Step kSteps[] = {
      &Walk::unary,       &Walk::unary,   &Walk::binary,        &Walk::binary,   &Walk::binary,
      &Walk::with_number, &Walk::reduce,  &Walk::compare,       &Walk::product,  &Walk::view,
      &Walk::view,        &Walk::view,    &Walk::in_place,      &Walk::in_place, &Walk::in_place,
      &Walk::join,        &Walk::index,   &Walk::convert,       &Walk::random,   &Walk::make,
      &Walk::capture,     &Walk::network, &Walk::differentiate, &Walk::train};

  Dice dice_;
  const Tensors &inputs_, &captures_;
  std::vector<Tensor> pool_;
  int64_t limit_;
  bool has_halves_, leaves_gpu_;
};

}  // namespace

RandomFunction::RandomFunction(uint64_t seed, Device device, bool has_halves)
    : seed_(seed), device_(device), has_halves_(has_halves) {}

Tensors RandomFunction::inputs(int run) const {
  constexpr std::array kTypes{float32, float32, float64, int64, bool_};
  Dice shapes(seed_ + (uint64_t{1} << 40));
  Dice values(seed_ + (static_cast<uint64_t>(run + 2) << 40));
  const int64_t most = large(seed_) ? 150 : 5;
  Tensors out;
  for (int64_t k = shapes.between(1, 4); k-- > 0;) {
    const bool first = out.empty();
    const bool image = out.size() == 1 && shapes.chance(40);
    Meta meta({2, 3, 6, 5}, float32, device_);
    if (!image) {
      Shape shape;
      for (int64_t d = first ? 2 : shapes.below(4); d-- > 0;) {
        shape.push_back(!first && shapes.chance(8) ? 0 : shapes.between(1, most));
      }
      if (shape.numel() > 40000) shape = {most, 3};
      meta = Meta(shape, first ? float32 : kTypes[static_cast<size_t>(shapes.below(5))], device_);
      if (shape.dim() == 2 && shapes.chance(20)) meta.strides = {1, shape[0]};
    }
    out.push_back(draw(values, meta, hard_values(seed_)));
  }
  return out;
}

Tensors RandomFunction::captures() const {
  Dice values(seed_ + (uint64_t{1} << 60));
  const auto real = [&](const Shape& shape) {
    return draw(values, Meta(shape, float32, device_), false);
  };
  const TensorOptions number{.dtype = float64, .device = device_};
  Tensors out(kFreshParam + 1);
  out[kWeight] = real({8, 8});
  out[kBias] = real({8});
  out[kFilter] = real({4, 3, 3, 3});
  out[kFilterBias] = real({4});
  out[kScale] = real({4});
  out[kMean] = real({4});
  out[kVar] = abs(real({4})) + 0.5;
  out[kCount] = zeros({}, {.dtype = int64, .device = device_});
  out[kState] = real({3, 4});
  out[kPartOfState] = out[kState].slice(1, 1, 3);
  out[kWide] = draw(values, Meta({5}, float64, device_), false);
  out[kRate] = full({}, 0.01, number);
  for (size_t i = 0; i < kTrained; ++i) {
    out[kGradient + i] = real(out[i].shape());
    out[kVelocity + i] = zeros_like(out[i]);
    out[kStep + i] = zeros({}, number);
  }
  out[kParam] = real({4, 3}).requires_grad_();
  out[kParam].set_grad(zeros({4, 3}, {.device = device_}));
  out[kFreshParam] = real({8}).requires_grad_();
  return out;
}

Tensors RandomFunction::operator()(const Tensors& inputs, const Tensors& captures) const {
  const NoGradGuard no_grad;
  return Walk(seed_, inputs, captures, has_halves_).run();
}

}  // namespace reprise::test
