#pragma once
// Graphviz text as a picture.

#include <string>

namespace reprise::detail {

/// Writes the text itself (.dot, .gv), or what Graphviz makes of it (.svg, .png, .pdf). Value error
/// for another ending; Io error without Graphviz, when it fails, or for a file that cannot be
/// written. What stood in the file is untouched then.
void write_picture(const std::string& path, const std::string& dot);

/// Whether this build has Graphviz as a library.
bool has_graphviz_library();
/// The bytes of the picture. Io error with what Graphviz said when it fails.
std::string render_with_library(const std::string& dot, const std::string& format);
/// The same by the program `dot` of the PATH. Io error when there is none.
std::string render_with_program(const std::string& dot, const std::string& format);

/// Io error: Graphviz made no picture, and said these words.
[[noreturn]] void graphviz_failed(const std::string& format, std::string words);

}  // namespace reprise::detail
