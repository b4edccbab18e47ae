#pragma once
// Symbolic<T>: a symbol for a value of any copyable C++ type. It has the operators, calls,
// indexing, size and elements that T has, each a node of the graph; what else T can do goes through
// `x(f)` or add_to_graph with a lambda or a pointer to a member.

#include <iosfwd>

#include "add_to_graph.h"

namespace reprise {

/// What a symbol or a constant is at replay.
template <class X>
using ValueOf = std::remove_cvref_t<detail::Argument<detail::Constant<X>>>;

namespace detail {
template <class X>
inline constexpr bool kIsSymbolic = std::same_as<X, Tensor>;
template <class T>
inline constexpr bool kIsSymbolic<Symbolic<T>> = true;

template <class X>
inline constexpr bool kIsValue = kIsSymbolic<X> && !std::same_as<X, Tensor>;

/// Whether F is a function of these symbols and constants.
template <class F, class... Args>
inline constexpr bool kTakes = Applies<F, Args...>;
template <class F, class... Args>
requires kIsSymbolic<F>
inline constexpr bool kTakes<F, Args...> = false;
}  // namespace detail

template <class T>
class Symbolic {
  static_assert(!std::derived_from<T, Tensor>, "Input makes symbols of tensors");

 public:
  using value_type = T;

  /// A symbol of that type made elsewhere. DType error for one of another type.
  explicit Symbolic(Tensor node) : node_(std::move(node)) {
    detail::unbox<T>(node_of("Symbolic", node_).example());
  }

  const Tensor& node() const { return node_; }
  /// The value with which the graph was built.
  const T& example() const { return detail::unbox<T>(node_of("Symbolic", node_).example()); }

  /// x(f, more...) is f(x, more...) at each replay; where that cannot be, x(args...) calls the
  /// value.
  template <class First, class... More>
  auto operator()(const First& first, const More&... more) const {
    if constexpr (detail::kEndsWithName<More...>) {
      const auto call = [&](const CustomName& name, const auto&... x) {
        auto result = (*this)(first, x...);
        detail::NameLeaves leaves{name.text};
        detail::visit_leaves(leaves, result);
        return result;
      };
      return detail::with_last(call, more...);
    } else if constexpr (detail::kTakes<First, Symbolic, More...>) {
      return add_to_graph(first, *this, more...);
    } else {
      const auto call = [](const T& f, const auto&... x) { return f(x...); };
      return detail::add_code("call", "", call, *this, first, more...);
    }
  }

  /// x[i] is T's at(i) where it has one, so that a missing element is an exception, else T's [i].
  template <class I>
  requires requires(const T& x, const ValueOf<I>& i) {
    x.at(i);
  } || requires(const T& x, const ValueOf<I>& i) {
    x[i];
  }
  auto operator[](const I& index) const {
    const auto get = [](const T& x, const ValueOf<I>& i) {
      if constexpr (requires { x.at(i); })
        return x.at(i);
      else
        return x[i];
    };
    return detail::add_code("get", "", get, *this, index);
  }

  auto size() const requires requires(const T& x) { std::size(x); }
  {
    return detail::add_code(
        "size", "", [](const T& x) { return std::size(x); }, *this);
  }

  /// Symbols of all elements; how many there are must not change from run to run.
  auto unpack() const requires requires(const T& x) {
    std::begin(x);
    std::size(x);
  }
  {
    using Item = std::decay_t<decltype(*std::begin(std::declval<const T&>()))>;
    using Symbols = std::vector<detail::Lifted<Item>>;
    const size_t count = std::size(example());
    Symbols out;
    for (size_t i = 0; i < count; ++i) out.push_back(element(i, count));
    return out;
  }

  /// auto [a, b] = x for pairs and tuples.
  template <size_t I>
  auto get() const requires requires {
    typename std::tuple_element<I, T>::type;
  }
  {
    return detail::add_code(
        "get", "", [](const T& x) { return std::get<I>(x); }, *this);
  }

 private:
  auto element(size_t i, size_t count) const {
    const auto get = [i, count](const T& x) {
      check(std::size(x) == count, ErrorKind::Value, "unpack: expected ", count,
            " elements, as when the graph was built, got ", std::size(x));
      return *std::next(std::begin(x), static_cast<ptrdiff_t>(i));
    };
    return detail::add_code("unpack", "", get, *this);
  }

  Tensor node_;
};

/// A symbol whose value is given at replay; `example` is the one with which the graph is built.
template <class T>
auto CustomInput(const T& example) {
  using Value = detail::Stored<T>;
  return Symbolic<Value>(detail::custom_input(detail::box<Value>(example)));
}

/// Names the call that made `x`, which is returned.
template <class T>
Symbolic<T> custom_name(const Symbolic<T>& x, const std::string& name) {
  custom_name(x.node(), name);
  return x;
}

template <class T>
std::string to_string(const Symbolic<T>& x) {
  return to_string(x.node());
}
template <class T>
std::ostream& operator<<(std::ostream& out, const Symbolic<T>& x) {
  return out << x.node();
}

/// x[i] of a tensor and a symbol of an index: a position, a Slice, an Index.
template <class I>
requires requires(const Tensor& x, const I& i) { x[i]; }
Tensor index_by(const Tensor& x, const Symbolic<I>& i) {
  return detail::add_code(
      "index", "", [](const Tensor& values, const I& index) { return values[index]; }, x, i);
}

// ---- Operators, exactly where the types have them

namespace detail {
/// Either is a Symbolic<T>, the other may be a constant or a tensor.
template <class Op, class A, class B>
concept SymbolicBinary = (kIsValue<A> || kIsValue<B>)&&!std::derived_from<A, std::ios_base> &&
                         std::invocable<Op, ValueOf<A>, ValueOf<B>>;
template <class Op, class A>
concept SymbolicUnary = std::invocable<Op, const A&>;

template <class Op, class... X>
auto add_operator(const char* name, const X&... x) {
  const auto apply = [](const auto&... value) { return Op()(value...); };
  return add_code(name, "", apply, x...);
}

struct ShiftLeft {
  template <class A, class B>
  auto operator()(const A& a, const B& b) const -> decltype(a << b) {
    return a << b;
  }
};
struct ShiftRight {
  template <class A, class B>
  auto operator()(const A& a, const B& b) const -> decltype(a >> b) {
    return a >> b;
  }
};
}  // namespace detail

#define REPRISE_SYMBOLIC_BINARY(symbol, Op, name) \
  template <class A, class B>                     \
  requires detail::SymbolicBinary<Op, A, B>       \
  auto operator symbol(const A& a, const B& b) { return detail::add_operator<Op>(name, a, b); }
REPRISE_SYMBOLIC_BINARY(+, std::plus<>, "add")
REPRISE_SYMBOLIC_BINARY(-, std::minus<>, "sub")
REPRISE_SYMBOLIC_BINARY(*, std::multiplies<>, "mul")
REPRISE_SYMBOLIC_BINARY(/, std::divides<>, "div")
REPRISE_SYMBOLIC_BINARY(%, std::modulus<>, "remainder")
REPRISE_SYMBOLIC_BINARY(&&, std::logical_and<>, "logical_and")
REPRISE_SYMBOLIC_BINARY(||, std::logical_or<>, "logical_or")
REPRISE_SYMBOLIC_BINARY(&, std::bit_and<>, "and")
REPRISE_SYMBOLIC_BINARY(|, std::bit_or<>, "or")
REPRISE_SYMBOLIC_BINARY(^, std::bit_xor<>, "xor")
REPRISE_SYMBOLIC_BINARY(<<, detail::ShiftLeft, "shift_left")
REPRISE_SYMBOLIC_BINARY(>>, detail::ShiftRight, "shift_right")
REPRISE_SYMBOLIC_BINARY(==, std::equal_to<>, "eq")
REPRISE_SYMBOLIC_BINARY(!=, std::not_equal_to<>, "ne")
REPRISE_SYMBOLIC_BINARY(<, std::less<>, "lt")
REPRISE_SYMBOLIC_BINARY(<=, std::less_equal<>, "le")
REPRISE_SYMBOLIC_BINARY(>, std::greater<>, "gt")
REPRISE_SYMBOLIC_BINARY(>=, std::greater_equal<>, "ge")
#undef REPRISE_SYMBOLIC_BINARY

// x += y makes x the symbol of the sum; other symbols stay what they were.
#define REPRISE_SYMBOLIC_ASSIGN(symbol)                 \
  template <class T, class B>                           \
  requires requires(const Symbolic<T>& x, const B& y) { \
    { x symbol y } -> std::same_as<Symbolic<T>>;        \
  }                                                     \
  Symbolic<T>& operator symbol##=(Symbolic<T>& x, const B& y) { return x = x symbol y; }
REPRISE_SYMBOLIC_ASSIGN(+)
REPRISE_SYMBOLIC_ASSIGN(-)
REPRISE_SYMBOLIC_ASSIGN(*)
REPRISE_SYMBOLIC_ASSIGN(/)
REPRISE_SYMBOLIC_ASSIGN(%)
REPRISE_SYMBOLIC_ASSIGN(&)
REPRISE_SYMBOLIC_ASSIGN(|)
REPRISE_SYMBOLIC_ASSIGN(^)
REPRISE_SYMBOLIC_ASSIGN(<<)
REPRISE_SYMBOLIC_ASSIGN(>>)
#undef REPRISE_SYMBOLIC_ASSIGN

#define REPRISE_SYMBOLIC_UNARY(symbol, Op, name) \
  template <class T>                             \
  requires detail::SymbolicUnary<Op, T>          \
  auto operator symbol(const Symbolic<T>& x) { return detail::add_operator<Op>(name, x); }
REPRISE_SYMBOLIC_UNARY(-, std::negate<>, "neg")
REPRISE_SYMBOLIC_UNARY(!, std::logical_not<>, "not")
REPRISE_SYMBOLIC_UNARY(~, std::bit_not<>, "invert")
#undef REPRISE_SYMBOLIC_UNARY

}  // namespace reprise

template <class T>
requires requires { std::tuple_size<T>::value; }
struct std::tuple_size<reprise::Symbolic<T>> : std::tuple_size<T> {};
template <size_t I, class T>
requires requires { std::tuple_size<T>::value; }
struct std::tuple_element<I, reprise::Symbolic<T>> {
  using type = reprise::detail::Lifted<std::tuple_element_t<I, T>>;
};
