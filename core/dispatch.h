#pragma once
// The one function through which every op is called, and the entrance for named callables (layers,
// composite functions), which a symbolic graph keeps whole.

#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "autocast.h"
#include "model.h"

namespace reprise {

/// Runs `op`. The tape remembers the call when an input requires grad; outputs are fresh tensors,
/// or `into` when the op runs in place.
REPRISE_API Tensors dispatch(const OpBase& op, std::span<const Tensor> in,
                             const Tensor* into = nullptr);

/// Runs an op of one output.
template <Op T, std::convertible_to<Tensor>... In>
Tensor apply(const T& op, const In&... in) {
  const std::array<Tensor, sizeof...(In)> inputs{in...};
  return std::move(dispatch(Model<T>(op), inputs).front());
}

/// Runs `op` in place: the result is written into `target`, which is also the first input.
template <Op T, std::convertible_to<Tensor>... In>
Tensor apply_in_place(const T& op, const Tensor& target, const In&... in) {
  const std::array<Tensor, 1 + sizeof...(In)> inputs{target, in...};
  dispatch(Model<T>(op), inputs, &target);
  return target;
}

/// Computes op calls in place of the kernels: the tracer of graph/trace.h.
class REPRISE_API Interpreter {
 public:
  virtual ~Interpreter() = default;
  /// What dispatch does between the two halves of the tape.
  virtual Tensors apply(const OpBase& op, std::span<const Tensor> in, const Tensor* into) = 0;
  /// A layer begins and ends; calls in between belong to it.
  virtual void enter(const std::string& scope) = 0;
  virtual void leave() = 0;
  /// "the float32[3] that sum made, %7": a traced tensor, for errors.
  virtual std::string describe(const Tensor& x) const = 0;
};

/// The interpreter of this thread; null when kernels run.
REPRISE_API Interpreter* interpreter();

/// Sets the interpreter of this thread for its lifetime. With null kernels run at once, also inside
/// a trace: for state that is made once, such as an optimizer's.
class REPRISE_API InterpreterGuard {
 public:
  explicit InterpreterGuard(Interpreter* interpreter);
  ~InterpreterGuard();
  InterpreterGuard(const InterpreterGuard&) = delete;
  InterpreterGuard& operator=(const InterpreterGuard&) = delete;

 private:
  Interpreter* before_;
};

/// Infers the outputs of `op`, allocates them and runs the kernel; on the meta device infers only.
Tensors run_eager(const OpBase& op, std::span<const Tensor> in, const Tensor* into);

/// Something that maps tensors to tensors and has a name: a layer or a function.
class REPRISE_API Callable {
 public:
  virtual ~Callable() = default;
  virtual std::string name() const = 0;
  virtual Tensors call(std::span<const Tensor> in) = 0;
  /// One more of the same, as the copy constructor makes it: a layer's copy shares its parameters,
  /// or belongs to the clone that is being made (layers/clone_scope.h).
  virtual std::shared_ptr<Callable> copy() const = 0;
};

/// What a symbolic tensor is to core: the door to the graph that it belongs to.
class REPRISE_API Symbol : public RefCounted<Symbol> {
 public:
  static constexpr bool kObserved = true;  ///< by its parents
  virtual ~Symbol() = default;
  /// Iterative: a symbol holds its parents, and a chain may be a million long.
  static void destroy(Symbol* symbol) noexcept;
  /// Adds one node that will run `callable` on `in` at each replay; its outputs are symbolic.
  virtual Tensors call(std::shared_ptr<Callable> callable, std::span<const Tensor> in) = 0;
  /// Names the call that made this symbol.
  virtual void set_name(const std::string& name) = 0;
  /// How the tensor prints.
  virtual std::string text() const = 0;
};

/// The name of a call in the symbolic graph instead of the layer's: `x(layer,
/// custom_name("stem"))`. It is used as it is, and numbered only when a model has several of it.
struct CustomName {
  std::string text;
};
inline CustomName custom_name(std::string name) { return {std::move(name)}; }
/// Names the call that made `x`, or an Input, and returns `x`. Does nothing to a real tensor. Value
/// error for an empty name or one with a dot.
REPRISE_API Tensor custom_name(const Tensor& x, const std::string& name);

namespace detail {
template <class... Args>
inline constexpr bool kEndsWithName = false;
template <class First, class... Rest>
inline constexpr bool kEndsWithName<First, Rest...> = sizeof...(Rest) == 0
                                                          ? std::same_as<First, CustomName>
                                                          : kEndsWithName<Rest...>;

/// Calls f(the last argument, the others).
template <class F, class... Args>
auto with_last(F f, const Args&... args) {
  const auto all = std::tie(args...);
  constexpr size_t last = sizeof...(Args) - 1;
  return [&]<size_t... I>(std::index_sequence<I...>) {
    return f(std::get<last>(all), std::get<I>(all)...);
  }
  (std::make_index_sequence<last>());
}

}  // namespace detail

/// Adds a node to the graph of the first symbolic tensor in `in`.
REPRISE_API Tensors call_symbolic(std::shared_ptr<Callable> callable, std::span<const Tensor> in);

namespace detail {

/// A function of a fixed number of tensors as a Callable.
template <class F, size_t N>
class Function final : public Callable {
 public:
  Function(std::string_view name, F f) : name_(name), f_(std::move(f)) {}
  std::string name() const override { return name_; }
  Tensors call(std::span<const Tensor> in) override {
    return [&]<size_t... I>(std::index_sequence<I...>) { return Tensors{f_(in[I]...)}; }
    (std::make_index_sequence<N>());
  }
  std::shared_ptr<Callable> copy() const override { return std::make_shared<Function>(*this); }

 private:
  std::string name_;
  F f_;
};

}  // namespace detail

/// Runs `f` on real tensors; on symbolic ones adds one node that runs it at each replay, so that
/// what `f` derives from sizes (a broadcast, a mean) follows the sizes of that replay. `f` returns
/// Tensor or Tensors and must own what it captures. Inputs but the first may be undefined.
/// Autocast (autocast.h) casts the inputs by the name.
template <class F, std::derived_from<Tensor>... In>
auto composite(std::string_view name, F f, const Tensor& first, const In&... rest)
    -> decltype(f(first, rest...)) {
  check(first.defined(), ErrorKind::Value, name, ": expected a tensor, got an undefined one");
  if (first.is_symbolic() || (rest.is_symbolic() || ...)) [[unlikely]] {
    const std::array<Tensor, 1 + sizeof...(In)> inputs{first, rest...};
    auto function = std::make_shared<detail::Function<F, 1 + sizeof...(In)>>(name, std::move(f));
    auto out = call_symbolic(std::move(function), inputs);
    if constexpr (std::is_same_v<decltype(f(first, rest...)), Tensor>)
      return out.front();
    else
      return out;
  }
  if (detail::autocast_on) [[unlikely]] {
    const detail::AutocastCall cast(name);
    return f(cast(first), cast(rest)...);
  }
  return f(first, rest...);
}

// Defined in autograd/: the tape beside the interpreter.

/// Whether op calls are remembered on this thread (see NoGradGuard).
REPRISE_API bool grad_enabled();
/// Keeps inputs and their versions, BEFORE the kernel runs; null when nothing is to be recorded.
/// Autograd error for an in-place call that cannot be differentiated.
Ref<History> begin_record(const OpBase& op, std::span<const Tensor> in, const Tensor* into);
/// Ties the outputs to what begin_record returned.
void end_record(History& record, std::span<const Tensor> out);

}  // namespace reprise
