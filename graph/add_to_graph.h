#pragma once
// add_to_graph: any C++ function as a node of the symbolic graph.

#include <functional>

#include "../layers/clone_scope.h"
#include "../layers/module.h"
#include "structure.h"

namespace reprise {

namespace detail {

// ---- What a function is given: symbols replaced by values

/// Takes the symbols of the arguments, in order.
struct CollectSymbols {
  static constexpr bool kResult = false;
  Tensors& out;
  void operator()(const Tensor& x) {
    if (x.is_symbolic()) out.push_back(x);
  }
  template <class T>
  void operator()(const Symbolic<T>& x) {
    out.push_back(x.node());
  }
  void operator()(const auto&) {}
};

/// The values of this replay in place of the symbols.
struct ReplaceSymbols {
  static constexpr bool kResult = false;
  std::span<const Tensor> values;
  size_t next = 0;
  Tensor operator()(const Tensor& x) { return x.is_symbolic() ? values[next++] : x; }
  template <class T>
  T operator()(const Symbolic<T>&) {
    return unbox<T>(values[next++]);
  }
  template <class T>
  T operator()(const T& constant) {
    return constant;
  }
  /// An argument; a symbol itself needs no copy.
  template <class T>
  const T& argument(const Symbolic<T>&) {
    return unbox<T>(values[next++]);
  }
  template <class X>
  auto argument(const X& x) {
    return map_leaves(*this, x);
  }
};

template <class X>
using Argument = decltype(std::declval<ReplaceSymbols&>().argument(std::declval<const X&>()));

/// F may be a function, a pointer to a member, a lambda or any functor.
template <class F, class... Args>
concept Applies = std::invocable<F&, Argument<Constant<Args>>...>;

template <class F, class... Args>
using ResultOf = Stored<std::invoke_result_t<F&, Argument<Constant<Args>>...>>;

/// The arguments of a clone, which must not keep the graph: symbols that belong to none.
struct DetachSymbols {
  static constexpr bool kResult = false;
  nn::detail::CloneScope* scope;
  Tensor operator()(const Tensor& x) {
    if (x.is_symbolic()) return unbound_symbol(x);
    return scope == nullptr ? x : scope->tensor(x);
  }
  template <class T>
  Symbolic<T> operator()(const Symbolic<T>& x) {
    return Symbolic<T>(unbound_symbol(x.node()));
  }
  template <class T>
  T operator()(const T& constant) {
    return constant;
  }
};

// ---- What it returns: tensors and boxes

/// Tensors as they are, everything else in boxes.
struct Box {
  static constexpr bool kResult = true;
  Tensors& out;
  std::vector<size_t> notes = {};
  void note(size_t value) { notes.push_back(value); }
  void operator()(Tensor& x) { out.push_back(std::move(x)); }
  template <class T>
  void operator()(T& x) {
    out.push_back(box(std::move(x)));
  }
};

/// Names the calls that made the symbols of a result.
struct NameLeaves {
  static constexpr bool kResult = false;
  const std::string& name;
  void operator()(const Tensor& x) { custom_name(x, name); }
  template <class T>
  void operator()(const Symbolic<T>& x) {
    custom_name(x.node(), name);
  }
  void operator()(const auto&) {}
};

/// The symbols of a result in place of its example's values.
struct Lift {
  static constexpr bool kResult = true;
  std::span<const Tensor> symbols;
  size_t next = 0;
  Tensor operator()(const Tensor&) { return symbols[next++]; }
  template <class T>
  Symbolic<T> operator()(const T&) {
    return Symbolic<T>(symbols[next++]);
  }
};

template <class R>
using Lifted = decltype(map_leaves(std::declval<Lift&>(), std::declval<const R&>()));

/// A function and its arguments with symbols in them.
template <class F, class... Args>
class Code final : public CodeCallable {
 public:
  using Result = ResultOf<F, Args...>;

  Code(std::string name, F f, const Args&... args)
      : name_(std::move(name)), f_(std::move(f)), args_(args...) {}
  /// A clone, with arguments of its own.
  Code(const Code& other, DetachSymbols detach)
      : name_(other.name_),
        f_(other.f_),
        args_(map_leaves(detach, other.args_)),
        notes_(other.notes_),
        built_(other.built_) {}

  std::string name() const override { return name_; }
  std::shared_ptr<Callable> copy() const override {
    if constexpr (std::copy_constructible<F>) {
      return std::make_shared<Code>(*this, DetachSymbols{nn::detail::CloneScope::current()});
    } else {
      fail(ErrorKind::Value, name_, ": cannot be cloned, since the function cannot be copied");
    }
  }

  Tensors symbols() const {
    Tensors out;
    CollectSymbols collect{out};
    visit_leaves(collect, args_);
    return out;
  }

  Tensors call(std::span<const Tensor> in) override {
    check(
        interpreter() == nullptr, ErrorKind::Graph, name_,
        ": C++ code added to a graph runs at each replay and cannot be traced; use nn::Lambda for "
        "functions made of tensor ops");
    Result result = run(in);
    if (!built_) example_.emplace(result);
    Tensors out;
    Box leaves{out};
    visit_leaves(leaves, result);
    if (!built_) notes_ = leaves.notes;
    check(
        leaves.notes == notes_, ErrorKind::Value,
        "expected a result with the same sizes, keys and alternatives as when the graph was built");
    return out;
  }

  /// The result with `symbols` in place of its values; ends the building of the node.
  Lifted<Result> lift(std::span<const Tensor> symbols) {
    Lift lift{symbols};
    Lifted<Result> lifted = map_leaves(lift, *example_);
    example_.reset();
    built_ = true;
    return lifted;
  }

 private:
  Result run(std::span<const Tensor> in) {
    ReplaceSymbols replace{in};
    return std::apply(
        [&](const Args&... args) -> Result {
          // In braces: the arguments take their values one after another.
          std::tuple<Argument<Args>...> values{replace.argument(args)...};
          return Result(std::apply(f_, std::move(values)));
        },
        args_);
  }

  std::string name_;
  F f_;
  std::tuple<Args...> args_;
  std::optional<Result> example_;  ///< while the node is built
  std::vector<size_t> notes_;      ///< of its result
  bool built_ = false;
};

/// "Affine" of a functor Affine, "Lambda", "Function".
template <class F>
std::string code_name() {
  if constexpr (std::is_pointer_v<F> || std::is_member_pointer_v<F>) return "Function";
  const std::string name = nn::detail::type_name(typeid(F));
  return name.empty() || name.front() == '$' ? "Lambda" : name;
}

template <class F, class... Args>
requires Applies<std::decay_t<F>, Args...>
auto add_code(std::string name, const std::string& custom, F&& f, const Args&... args) {
  using Node = Code<std::decay_t<F>, Constant<Args>...>;
  static_assert(!std::is_void_v<typename Node::Result>,
                "a function in a graph returns something; nn::Callback is for those that do not");
  static_assert(std::copy_constructible<typename Node::Result>, "values in a graph are copied");
  auto code = std::make_shared<Node>(std::move(name), std::forward<F>(f), args...);
  const Tensors symbols = code->symbols();
  check(!symbols.empty(), ErrorKind::Graph,
        "add_to_graph: expected a symbol among the arguments of ", code->name(),
        ", got none (a struct names its members, see graph/structure.h)");
  const Tensors nodes = call_symbolic(code, symbols);
  if (!custom.empty() && !nodes.empty()) custom_name(nodes.front(), custom);
  return code->lift(nodes);
}

}  // namespace detail

/// Adds a node that calls `f(args...)` at each replay, side effects included. Symbols may stand
/// anywhere in the arguments (structure.h), everything else is a constant. The result has symbols
/// in place of values: a Tensor for a Tensor, a Symbolic<T> for another T, and a tuple, a vector or
/// a struct of them for one of those, with the same sizes, keys and alternatives in each run. A
/// last argument custom_name("...") names the node. `f` must not write its arguments in place.
///
/// While the graph is built `f` runs once or twice (for two batch sizes) to learn what it returns:
/// on tensors without data, or, when it wants to see values, on some from the range of their Input
/// (then layers that it calls do what they do with data: statistics move).
/// Layers that `f` captures are not registered in models: call them on symbols to have that. Graph
/// error when no argument is a symbol; what `f` throws leaves unchanged.
template <class F, class... Args>
auto add_to_graph(F&& f, const Args&... args) {
  if constexpr (std::derived_from<std::decay_t<F>, nn::Module>) {
    return f(args...);
  } else if constexpr (detail::kEndsWithName<Args...>) {
    const auto add = [&](const CustomName& name, const auto&... rest) {
      const std::string type = detail::code_name<std::decay_t<F>>();
      return detail::add_code(type, name.text, std::forward<F>(f), rest...);
    };
    return detail::with_last(add, args...);
  } else {
    return detail::add_code(detail::code_name<std::decay_t<F>>(), "", std::forward<F>(f), args...);
  }
}

}  // namespace reprise
