#include "boxed.h"

namespace reprise::detail {

std::string type_text(std::string_view pretty_function) {
  constexpr std::string_view key = "T = ";
  const size_t start = pretty_function.find(key) + key.size();
  std::string name(
      pretty_function.substr(start, pretty_function.find_first_of(";]", start) - start));
  for (const std::string_view noise : {"__cxx11::", "__1::"}) {
    for (size_t at; (at = name.find(noise)) != std::string::npos;) name.erase(at, noise.size());
  }
  constexpr std::string_view string = "std::basic_string<char>";
  for (size_t at; (at = name.find(string)) != std::string::npos;) {
    name.replace(at, string.size(), "std::string");
  }
  return name;
}

Tensor make_box(void* value, const BoxType& type) {
  std::unique_ptr<void, BoxDeleter> owned(value, BoxDeleter{&type});
  auto storage = make_ref<Storage>(value, 0, owned.get_deleter());
  owned.release();
  return Tensor(make_ref<TensorImpl>(Meta(Shape{0}, uint8), std::move(storage)));
}

const BoxType* boxed_type(const Tensor& x) {
  if (!x.has_data()) return nullptr;
  const auto* deleter = x.impl().storage->deleter<BoxDeleter>();
  return deleter == nullptr ? nullptr : deleter->type;
}

void check_tensor(const Tensor& x) {
  const BoxType* type = boxed_type(x);
  if (type != nullptr) fail(ErrorKind::DType, "expected a tensor, got ", type->name());
}

const void* unboxed(const Tensor& x, const BoxType& type) {
  const BoxType* got = boxed_type(x);
  if (got == nullptr || *got->id != *type.id) {
    fail(ErrorKind::DType, "expected ", type.name(), ", got ",
         got == nullptr ? text(x.dtype(), x.shape()) : got->name());
  }
  return x.impl().storage->data();
}

}  // namespace reprise::detail
