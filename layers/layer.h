#pragma once
// Layer<Self> makes a layer of a class with `forward`:
//
//   struct Net : nn::Layer<Net> {
//     nn::Linear fc{784, 10};
//     Net() { register_module("fc", fc); }
//     Tensor forward(const Tensor& x) { return fc(x.flatten(1)); }
//   };
//
// forward takes one to six tensors, or `const Tensors&` for any number. It returns Tensor, Tensors,
// or a pair, tuple or array of Tensor. It must not read values: symbolic graphs run it on meta
// tensors.
//
// Tensors of its own are members of type nn::Parameter or nn::Buffer, so that it can be cloned:
//
//   nn::Parameter scale = register_parameter("scale", ones({10}));

#include <tuple>

#include "clone_scope.h"
#include "module.h"

namespace reprise::nn {
namespace detail {

inline constexpr size_t kMaxInputs = 6;

template <size_t>
using TensorAt = const Tensor&;

template <class Self, class... In>
concept Takes = requires(Self& self, const In&... in) {
  self.forward(in...);
};
template <class Self>
concept TakesList = requires(Self& self, const Tensors& in) {
  self.forward(in);
};

/// A list of tensors for a layer that takes one. (Of both types, so that clang 14 does not ask
/// before Self is complete.)
template <class List, class Self>
concept InputsOf = std::convertible_to<const List&, Tensors> && !std::derived_from<List, Tensor> &&
                   TakesList<Self>;

template <class Self, size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return Takes<Self, TensorAt<I>...>;
}
template <class Self, size_t... N>
constexpr bool takes_any(std::index_sequence<N...>) {
  return TakesList<Self> || (takes<Self>(std::make_index_sequence<N + 1>()) || ...);
}

/// What forward returned, as a list.
template <class Result>
Tensors to_tensors(Result result) {
  if constexpr (std::is_convertible_v<Result, Tensors>) {
    return result;
  } else if constexpr (std::is_same_v<Result, Tensor>) {
    Tensors out;
    out.emplace_back(std::move(result));
    return out;
  } else if constexpr (std::is_same_v<Result, ValuesIndices>) {
    return {result.values, result.indices};
  } else {
    return std::apply([](const auto&... item) { return Tensors{item...}; }, result);
  }
}

template <class Result>
constexpr size_t count_of() {
  if constexpr (std::is_same_v<Result, Tensor>)
    return 1;
  else if constexpr (std::is_same_v<Result, ValuesIndices>)
    return 2;
  else
    return std::tuple_size_v<Result>;
}

/// The list as what forward returns.
template <class Result>
Result from_tensors(Tensors out) {
  if constexpr (std::is_convertible_v<Result, Tensors>) {
    return out;
  } else {
    constexpr size_t count = count_of<Result>();
    check(out.size() == count, ErrorKind::Value, "expected ", count, " outputs, got ", out.size());
    return [&]<size_t... I>(std::index_sequence<I...>) { return Result{std::move(out[I])...}; }
    (std::make_index_sequence<count>());
  }
}

}  // namespace detail

template <class Self>
class Layer : public Module {
 public:
  /// Runs hooks and forward; symbolic inputs add one node to their graph instead. An error that
  /// leaves it names the path to this layer.
  template <std::derived_from<Tensor>... In>
  requires(sizeof...(In) > 0) auto operator()(const In&... in) {
    using Result = decltype(run(self(), in...));
    if ((in.is_symbolic() || ...)) [[unlikely]] {
      return detail::from_tensors<Result>(call_symbolic(share(), list_of(in...)));
    }
    const detail::Scope scope(registered_name());
    try {
      if (!has_hooks()) [[likely]]
        return run(self(), in...);
      return detail::from_tensors<Result>(call_with_hooks(list_of(in...)));
    } catch (Error& error) {
      locate(error);
      if (!error.has_path()) error.prepend(name());
      throw;
    }
  }
  template <std::derived_from<Tensor>... In>
  requires(sizeof...(In) > 0) auto operator()(const In&... in) const {
    return Self(self())(in...);  // a copy is the same layer
  }

  /// For a layer of any number of inputs: a list of them.
  template <detail::InputsOf<Self> List>
  auto operator()(const List& in) {
    const Tensors list(in);
    using Result = decltype(self().forward(list));
    try {
      return detail::from_tensors<Result>(call(list));
    } catch (Error& error) {
      if (!error.has_path()) error.prepend(name());
      throw;
    }
  }
  template <detail::InputsOf<Self> List>
  auto operator()(const List& in) const {
    return Self(self())(in);
  }

  /// layer(x, ..., custom_name("stem")): names the node of symbolic inputs.
  template <class... In>
  requires(sizeof...(In) > 1 && reprise::detail::kEndsWithName<In...>) auto operator()(
      const In&... in) {
    const auto call = [&](const CustomName& name, const auto&... x) {
      auto out = (*this)(x...);
      const Tensors list = detail::to_tensors(out);
      if (!list.empty()) custom_name(list.front(), name.text);
      return out;
    };
    return reprise::detail::with_last(call, in...);
  }
  template <class... In>
  requires(sizeof...(In) > 1 && reprise::detail::kEndsWithName<In...>) auto operator()(
      const In&... in) const {
    return Self(self())(in...);
  }

  std::string name() const override { return detail::type_name(typeid(Self)); }
  std::shared_ptr<Module> share() const override { return std::make_shared<Self>(self()); }
  /// An independent layer, see Module::clone.
  Self clone() const {
    detail::CloneScope scope;
    Self twin(self());
    scope.finish(twin);
    return twin;
  }

 protected:
  Tensors forward_tensors(std::span<const Tensor> in) override {
    static_assert(detail::takes_any<Self>(std::make_index_sequence<detail::kMaxInputs>()),
                  "a layer has a public forward of one to six tensors, or of const Tensors&");
    if constexpr (detail::TakesList<Self>) {
      return detail::to_tensors(self().forward(Tensors(in)));
    } else {
      return spread<1>(in);
    }
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }
  const Self& self() const { return static_cast<const Self&>(*this); }

  template <class... In>
  static std::array<Tensor, sizeof...(In)> list_of(const In&... in) {
    return {in...};
  }

  template <class... In>
  static auto run(Self& self, const In&... in) {
    if constexpr (detail::TakesList<Self>)
      return self.forward(Tensors{in...});
    else
      return self.forward(in...);
  }

  /// Calls the forward of as many arguments as there are inputs, N or more.
  template <size_t N>
  Tensors spread(std::span<const Tensor> in) {
    if constexpr (N > detail::kMaxInputs) {
      fail(ErrorKind::Value, name(), ": forward does not take ", in.size(), " inputs");
    } else {
      if constexpr (detail::takes<Self>(std::make_index_sequence<N>())) {
        if (in.size() == N) {
          return [&]<size_t... I>(std::index_sequence<I...>) {
            return detail::to_tensors(self().forward(in[I]...));
          }
          (std::make_index_sequence<N>());
        }
      }
      return spread<N + 1>(in);
    }
  }
};

}  // namespace reprise::nn
