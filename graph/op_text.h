#pragma once
// Ops from their text, the inverse of OpBase::text: "conv2d {stride=[1, 1], padding=[0, 0], ...}".

#include <span>

#include "../core/op.h"
#include "text_reader.h"

namespace reprise {

/// The op that prints as `text`. Format error that says what was expected and where; what the
/// attributes mean is checked by the op's infer.
REPRISE_API OpRef parse_op(std::string_view text);

namespace detail {

/// The names of all ops that have a text, sorted.
REPRISE_API std::span<const std::string_view> op_names();

/// Reads the attributes, in their braces, of one kind of op.
using OpReader = OpRef (*)(TextReader& in);
/// That of the op called `name`, which `in` read last.
OpReader op_reader(std::string_view name, TextReader& in);

}  // namespace detail
}  // namespace reprise
