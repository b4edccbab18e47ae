// Modules as PyTorch prints them.

#include <cxxabi.h>

#include <cstdlib>
#include <ostream>
#include <typeinfo>

#include "module.h"

namespace reprise::nn {
namespace {

/// "reprise::nn::Conv2d", "main::Net", "(anonymous namespace)::Net", "Pair<ns::A>" without all that
/// is in brackets and before the last "::".
std::string unqualified(std::string_view full) {
  std::string flat;
  int depth = 0;
  for (const char c : full) {
    if (c == '>' || c == ')' || c == '}')
      --depth;
    else if (c == '<' || c == '(' || c == '{')
      ++depth;
    else if (depth == 0)
      flat += c;
  }
  const size_t colons = flat.rfind("::");
  return colons == std::string::npos ? flat : flat.substr(colons + 2);
}

std::string indented(std::string_view lines) {
  std::string out;
  for (const char c : lines) out += c == '\n' ? std::string("\n  ") : std::string(1, c);
  return out;
}

}  // namespace

std::string detail::type_name(const std::type_info& type) {
  const std::unique_ptr<char, void (*)(void*)> full(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, nullptr), std::free);
  return unqualified(full ? full.get() : type.name());
}

std::string to_string(const Module& module) {
  const std::string extra = module.extra_repr();
  if (module.children().empty()) return module.name() + "(" + extra + ")";
  std::string out = module.name() + "(\n";
  if (!extra.empty()) out += "  " + indented(extra) + "\n";
  for (const auto& [name, child] : module.children()) {
    out += "  (" + name + "): " + indented(to_string(*child)) + "\n";
  }
  return out + ")";
}

std::ostream& operator<<(std::ostream& out, const Module& module) {
  return out << to_string(module);
}

}  // namespace reprise::nn
