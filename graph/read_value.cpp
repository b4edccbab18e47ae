#include "read_value.h"

namespace reprise::detail {
namespace {

template <class E>
void read_enum(TextReader& in, E& value, E last) {
  std::string names;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    value = static_cast<E>(i);
    if (in.accept_word(to_string(value))) return;
    (names += i == 0 ? "" : ", ") += to_string(value);
  }
  in.fail_expected("one of " + names);
}

}  // namespace

void read_value(TextReader& in, bool& value) {
  value = in.accept_word("true");
  if (!value && !in.accept_word("false")) in.fail_expected("true or false");
}

void read_value(TextReader& in, int& value) {
  value = static_cast<int>(in.integer(INT32_MIN, INT32_MAX));
}

void read_value(TextReader& in, int64_t& value) {
  value = in.integer(-kMostElements, kMostElements);
}

void read_value(TextReader& in, uint64_t& value) { value = in.whole_number(); }

void read_value(TextReader& in, double& value) { value = in.real(); }

void read_value(TextReader& in, Scalar& value) {
  const std::string_view word = in.peek();
  if (in.accept_word("true") || in.accept_word("false")) {
    value = word == "true";
  } else if (word.find_first_not_of("-0123456789") == word.npos) {
    value = in.integer(INT64_MIN, INT64_MAX);
  } else {
    value = in.real();
  }
}

Shape read_sizes(TextReader& in) {
  Shape out;
  if (in.peek().empty()) return out;
  do {
    if (out.dim() == kMaxDims) in.fail_expected(text("at most ", kMaxDims, " sizes"));
    const bool unknown = in.accept_word("None");
    out.push_back(unknown ? kUnknown : in.integer(-kMostElements, kMostElements));
  } while (in.accept(","));
  return out;
}

void read_value(TextReader& in, Shape& value) {
  in.expect("[");
  value = read_sizes(in);
  in.expect("]");
}

void read_value(TextReader& in, Pair& value) {
  in.expect("[");
  value.h = in.integer(-kMostPixels, kMostPixels);
  in.expect(",");
  value.w = in.integer(-kMostPixels, kMostPixels);
  in.expect("]");
}

void read_value(TextReader& in, DType& value) { read_enum(in, value, DType::bfloat16); }

void read_value(TextReader& in, MemoryFormat& value) { read_enum(in, value, channels_last); }

void read_value(TextReader& in, Activation& value) { read_enum(in, value, Activation::gelu_tanh); }

void read_value(TextReader& in, Device& value) {
  if (in.accept_word("cpu")) {
    value = Device::cpu();
  } else if (in.accept_word("meta")) {
    value = Device::meta();
  } else {
    if (!in.accept_word("cuda")) in.fail_expected("cpu, cuda:N or meta");
    in.expect(":");
    value = Device::cuda(static_cast<int>(in.integer(0, INT8_MAX)));
  }
}

}  // namespace reprise::detail
