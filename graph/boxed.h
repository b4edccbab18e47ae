#pragma once
// A C++ value of any type where tensors go, as an argument or result of a call in the symbolic
// graph: an empty tensor whose storage owns the value. So layers, functions of any types and nested
// models are called in one way.

#include <string>
#include <typeinfo>

#include "../core/dispatch.h"

namespace reprise::detail {

/// "std::set<int>" from the name of a function template on it.
std::string type_text(std::string_view pretty_function);

/// What is known of a boxed value's type.
struct BoxType {
  const std::type_info* id;
  std::string (*name)();
  void (*destroy)(void* value);
};

template <class T>
std::string type_text() {
  return type_text(std::string_view(__PRETTY_FUNCTION__));
}

template <class T>
inline const BoxType kBoxType{&typeid(T), &type_text<T>,
                              [](void* value) { delete static_cast<T*>(value); }};

struct BoxDeleter {
  const BoxType* type;
  void operator()(void* value) const { type->destroy(value); }
};

REPRISE_API Tensor make_box(void* value, const BoxType& type);

/// An expression of a matrix library refers to its operands, so its value is what is kept.
template <class T>
concept LazyExpression = requires(const T& x) {
  typename T::PlainObject;
  x.eval();
}
&&!std::same_as<T, typename T::PlainObject>;

template <class T>
struct StoredAs {
  using type = T;
};
template <LazyExpression T>
struct StoredAs<T> {
  using type = typename T::PlainObject;
};
template <>
struct StoredAs<char*> {
  using type = std::string;
};
template <>
struct StoredAs<const char*> {
  using type = std::string;
};
template <std::derived_from<Tensor> T>
struct StoredAs<T> {
  using type = Tensor;
};
template <>
struct StoredAs<std::string_view> {
  using type = std::string;
};
/// The type of which a value of type T is kept: std::string for a literal.
template <class T>
using Stored = typename StoredAs<std::decay_t<T>>::type;

/// The type of which a constant argument is kept: a literal as a pointer to it.
template <class T>
struct ConstantAs {
  using type = std::decay_t<T>;
};
template <size_t N>
struct ConstantAs<char[N]> {
  using type = const char*;
};
template <class T>
using Constant = typename ConstantAs<T>::type;

template <class T>
Tensor box(T value) {
  return make_box(new T(std::move(value)), kBoxType<T>);
}

/// The type of the value in a box; null for a tensor.
REPRISE_API const BoxType* boxed_type(const Tensor& x);

/// DType error naming both types when `x` is not a box of `type`.
REPRISE_API const void* unboxed(const Tensor& x, const BoxType& type);

/// DType error naming the type of the value in a box.
REPRISE_API void check_tensor(const Tensor& x);

template <class T>
const T& unbox(const Tensor& x) {
  return *static_cast<const T*>(unboxed(x, kBoxType<T>));
}

}  // namespace reprise::detail
