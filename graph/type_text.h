#pragma once
// The text of types, "float32[4, 3 : 1, 4] cuda:0", and of names, for to_string and parse.

#include "../core/meta.h"
#include "text_reader.h"

namespace reprise::detail {

/// Strides are written when they are not dense, the device when it is not the CPU.
std::string type_text(const Meta& meta);

/// The inverse. Shape error when sizes and strides are too large for any memory.
Meta read_type(TextReader& in);
/// Shape error unless all that is derived from sizes and strides fits 63 bits.
void check_extent(const Meta& meta);

/// Whether a capture of that name is called %name: a word, and not to be taken for a number.
bool is_bare_name(std::string_view name);

}  // namespace reprise::detail
