#pragma once
// Symbols nested in C++ values. `visit_leaves` calls a function with every leaf of a structure,
// `map_leaves` makes the same structure of what a function returns for every leaf, both in one
// order. Vectors, lists, arrays, tuples, maps, optionals and variants are opened, and structs that
// name their members:
//
//   struct Box { Tensor corner; std::vector<Tensor> sizes; };
//   auto members(Box& b) { return std::tie(b.corner, b.sizes); }   // found by ADL

#include <array>
#include <list>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "symbolic.h"

namespace reprise {

inline auto members(ValuesIndices& x) { return std::tie(x.values, x.indices); }

namespace detail {

template <class X>
concept HasMembers = requires(X& x) {
  members(x);
};

template <class F, class X>
void visit_leaves(F& f, X& x);
template <class F, class X>
auto map_leaves(F& f, const X& x);

/// How a type is opened; the primary one is a leaf.
template <class X>
struct Structure {
  static constexpr bool is_leaf = true, holds_symbols = false, only_tensors = false;
};
template <>
struct Structure<Tensor> {
  static constexpr bool is_leaf = true, holds_symbols = true, only_tensors = true;
};
template <class T>
struct Structure<Symbolic<T>> {
  static constexpr bool is_leaf = true, holds_symbols = true, only_tensors = false;
};

template <class... Item>
struct OfItems {
  static constexpr bool holds_symbols = (Structure<Item>::holds_symbols || ...), is_leaf = false,
                        only_tensors = (Structure<Item>::only_tensors && ...);
};

/// What a visitor may want to know: sizes, which alternative, keys. Two structures with the same
/// notes have the same leaves.
template <class F>
void note(F& f, size_t value) {
  if constexpr (requires { f.note(value); }) f.note(value);
}
template <class F, class Key>
void note_key(F& f, const Key& key) {
  if constexpr (requires { std::hash<Key>()(key); }) note(f, std::hash<Key>()(key));
}

// A list of symbols is opened; a list of anything else is one constant or one value.
template <class Item>
struct OfItem {
  static constexpr bool holds_symbols = Structure<Item>::holds_symbols, is_leaf = !holds_symbols,
                        only_tensors = Structure<Item>::only_tensors;
};
template <class Item>
struct ListStructure : OfItem<Item> {
  static void visit(auto& f, auto&& list) {
    note(f, list.size());
    for (auto& item : list) visit_leaves(f, item);
  }
};

template <class Item>
struct Structure<std::vector<Item>> : ListStructure<Item> {
  static auto map(auto& f, const std::vector<Item>& list) {
    std::vector<decltype(map_leaves(f, list[0]))> out;
    for (const Item& item : list) out.push_back(map_leaves(f, item));
    return out;
  }
};
template <class Item>
struct Structure<std::list<Item>> : ListStructure<Item> {
  static auto map(auto& f, const std::list<Item>& list) {
    std::list<decltype(map_leaves(f, list.front()))> out;
    for (const Item& item : list) out.push_back(map_leaves(f, item));
    return out;
  }
};
template <>
struct Structure<Tensors> : ListStructure<Tensor> {
  static Tensors map(auto& f, const Tensors& list) {
    Tensors out;
    for (const Tensor& item : list) out.push_back(f(item));
    return out;
  }
};
template <class Item, size_t N>
struct Structure<std::array<Item, N>> : ListStructure<Item> {
  static auto map(auto& f, const std::array<Item, N>& list) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
      return std::array{map_leaves(f, list[I])...};
    }
    (std::make_index_sequence<N>());
  }
};

template <class Key, class Item, class Less>
struct Structure<std::map<Key, Item, Less>> : OfItem<Item> {
  static void visit(auto& f, auto&& map) {
    note(f, map.size());
    for (auto& [key, item] : map) {
      note_key(f, key);
      visit_leaves(f, item);
    }
  }
  static auto map(auto& f, const std::map<Key, Item, Less>& map) {
    std::map<Key, decltype(map_leaves(f, map.begin()->second)), Less> out;
    for (const auto& [key, item] : map) out.emplace(key, map_leaves(f, item));
    return out;
  }
};

template <class Item>
struct Structure<std::optional<Item>> : OfItem<Item> {
  static void visit(auto& f, auto&& x) {
    note(f, x.has_value());
    if (x) visit_leaves(f, *x);
  }
  static auto map(auto& f, const std::optional<Item>& x) {
    std::optional<decltype(map_leaves(f, *x))> out;
    if (x) out.emplace(map_leaves(f, *x));
    return out;
  }
};

template <class... Item>
struct Structure<std::variant<Item...>> : OfItems<Item...> {
  static constexpr bool is_leaf = !OfItems<Item...>::holds_symbols;
  static void visit(auto& f, auto&& x) {
    note(f, x.index());
    std::visit([&](auto& item) { visit_leaves(f, item); }, x);
  }
  static auto map(auto& f, const std::variant<Item...>& x) {
    using Out = std::variant<decltype(map_leaves(f, std::declval<const Item&>()))...>;
    return [&]<size_t... I>(std::index_sequence<I...>) {
      std::optional<Out> out;
      (void)((x.index() == I &&
              (out.emplace(std::in_place_index<I>, map_leaves(f, std::get<I>(x))), true)) ||
             ...);
      return *std::move(out);
    }
    (std::index_sequence_for<Item...>());
  }
};

// Several results of a function: always opened.
template <class... Item>
struct Structure<std::tuple<Item...>> : OfItems<Item...> {
  static void visit(auto& f, auto&& x) {
    std::apply([&](auto&... item) { (visit_leaves(f, item), ...); }, x);
  }
  static auto map(auto& f, const std::tuple<Item...>& x) {
    return std::apply(
        [&](const auto&... item) {
          return std::tuple<decltype(map_leaves(f, item))...>{map_leaves(f, item)...};
        },
        x);
  }
};
template <class A, class B>
struct Structure<std::pair<A, B>> : OfItems<A, B> {
  static void visit(auto& f, auto&& x) {
    visit_leaves(f, x.first);
    visit_leaves(f, x.second);
  }
  static auto map(auto& f, const std::pair<A, B>& x) {
    return std::pair<decltype(map_leaves(f, x.first)), decltype(map_leaves(f, x.second))>{
        map_leaves(f, x.first), map_leaves(f, x.second)};
  }
};

template <class>
struct OfMembers;
template <class... Member>
struct OfMembers<std::tuple<Member&...>> : OfItems<Member...> {};

// A struct keeps its type: its symbols are tensors. As a result it is opened when it has nothing
// else.
template <HasMembers X>
struct Structure<X> : OfMembers<decltype(members(std::declval<X&>()))> {
  static void visit(auto& f, auto&& x) {
    std::apply([&](auto&... member) { (visit_leaves(f, member), ...); },
               members(const_cast<X&>(x)));
  }
  static X map(auto& f, const X& x) {
    X out = x;
    std::apply([&](auto&... member) { ((member = map_leaves(f, member)), ...); }, members(out));
    return out;
  }
};

/// Whether F, one of the visitors of add_to_graph.h, goes into an X.
template <class F, class X>
inline constexpr bool kOpens =
    !Structure<X>::is_leaf && (!F::kResult || !HasMembers<X> || Structure<X>::only_tensors);

template <class F, class X>
void visit_leaves(F& f, X& x) {
  if constexpr (kOpens<F, std::remove_const_t<X>>) {
    Structure<std::remove_const_t<X>>::visit(f, x);
  } else {
    f(x);
  }
}

template <class F, class X>
auto map_leaves(F& f, const X& x) {
  if constexpr (kOpens<F, X>) {
    return Structure<X>::map(f, x);
  } else {
    return f(x);
  }
}

}  // namespace detail
}  // namespace reprise
