// Optimizer steps, a vector at a time; the last one is cut. Arithmetic is that of the tensors, with
// the numbers of the step rounded to it.

#include "update.h"

#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {
namespace {

template <class T>
REPRISE_INLINE Vec<T> spread(double value) {
  return broadcast<T>(static_cast<T>(value));
}

/// The gradient with weight decay.
template <class T>
REPRISE_INLINE Vec<T> decayed(const Vec<T>& grad, const Vec<T>& param, double weight_decay) {
  return weight_decay == 0 ? grad : fma(spread<T>(weight_decay), param, grad);
}

/// The direction of SGD with momentum; moves the velocity.
template <class T>
REPRISE_INLINE Vec<T> with_momentum(const SgdLoop& op, const Vec<T>& g, T* velocity, int64_t n) {
  const Vec<T> momentum = spread<T>(op.momentum);
  const Vec<T> scaled = spread<T>(1 - op.dampening) * g;
  const Vec<T> v = op.first ? g : fma(momentum, load_n(velocity, n), scaled);
  store_n(velocity, v, n);
  return op.nesterov ? fma(momentum, v, g) : v;
}

template <class T>
void sgd(const void* self, int64_t n, void* const* operands) {
  const SgdLoop op = *static_cast<const SgdLoop*>(self);
  T* param = static_cast<T*>(operands[0]);
  const T* grad = static_cast<const T*>(operands[1]);
  const bool moves = op.momentum > 0;
  T* velocity = moves ? static_cast<T*>(operands[2]) : nullptr;
  const Vec<T> rate = spread<T>(-op.lr);
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const int64_t rest = n - i;
    const Vec<T> p = load_n(param + i, rest);
    Vec<T> g = decayed<T>(load_n(grad + i, rest), p, op.weight_decay);
    if (moves) g = with_momentum<T>(op, g, velocity + i, rest);
    store_n(param + i, fma(rate, g, p), rest);
  }
}

template <class T>
void adam(const void* self, int64_t n, void* const* operands) {
  const AdamLoop op = *static_cast<const AdamLoop*>(self);
  T* param = static_cast<T*>(operands[0]);
  const T* grad = static_cast<const T*>(operands[1]);
  T* average = static_cast<T*>(operands[2]);
  T* squares = static_cast<T*>(operands[3]);
  T* largest = op.amsgrad ? static_cast<T*>(operands[4]) : nullptr;
  const Vec<T> rest1 = spread<T>(1 - op.beta1), beta2 = spread<T>(op.beta2);
  const Vec<T> rest2 = spread<T>(1 - op.beta2), eps = spread<T>(op.eps);
  const Vec<T> correction = spread<T>(op.inverse_correction2), size = spread<T>(op.step_size);
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const int64_t rest = n - i;
    const Vec<T> p = load_n(param + i, rest);
    const Vec<T> g = decayed<T>(load_n(grad + i, rest), p, op.weight_decay);
    const Vec<T> m_before = load_n(average + i, rest);
    const Vec<T> m = fma(g - m_before, rest1, m_before);
    Vec<T> v = fma(rest2 * g, g, beta2 * load_n(squares + i, rest));
    store_n(average + i, m, rest);
    store_n(squares + i, v, rest);
    if (op.amsgrad) {
      v = max(load_n(largest + i, rest), v);
      store_n(largest + i, v, rest);
    }
    store_n(param + i, p - size * m / fma(sqrt(v), correction, eps), rest);
  }
}

/// 0 times what is finite is 0, and NaN otherwise.
template <class T>
void unscale(const void* self, int64_t n, void* const* operands) {
  const UnscaleLoop op = *static_cast<const UnscaleLoop*>(self);
  T* grad = static_cast<T*>(operands[0]);
  const Vec<T> inverse = spread<T>(op.inverse);
  Vec<T> zeros{};
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    const Vec<T> g = load_n(grad + i, n - i) * inverse;
    zeros = zeros + g * spread<T>(0);
    store_n(grad + i, g, n - i);
  }
  float one = 1;
  if (sum(zeros) != 0) __atomic_store(op.found_inf, &one, __ATOMIC_RELAXED);
}

}  // namespace

constinit const UpdateTable update_table = {
    {sgd<float>, sgd<double>}, {adam<float>, adam<double>}, {unscale<float>, unscale<double>}};

}  // namespace reprise::cpu::REPRISE_ISA
