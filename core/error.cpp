#include "error.h"

#include <charconv>

namespace reprise {

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::Shape: return "Shape";
    case ErrorKind::DType: return "DType";
    case ErrorKind::Device: return "Device";
    case ErrorKind::Index: return "Index";
    case ErrorKind::Value: return "Value";
    case ErrorKind::Autograd: return "Autograd";
    case ErrorKind::Graph: return "Graph";
    case ErrorKind::Format: return "Format";
    case ErrorKind::Io: return "Io";
    case ErrorKind::OutOfMemory: return "OutOfMemory";
    case ErrorKind::Internal: return "Internal";
  }
  return "Unknown";
}

Error::Error(ErrorKind kind, std::string message)
    : std::runtime_error("reprise::Error"), kind_(kind), message_(std::move(message)) {}

void Error::prepend(std::string_view where) {
  if (is_late_) return;
  message_.insert(0, text(where, has_path_ ? "." : ": "));
  has_path_ = true;
}

void Error::append(std::string_view note) {
  if (!is_late_) message_ += note;
}

void append_text(std::string& out, double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
  out.append(buffer, end);
}

void append_text(std::string& out, int64_t value) { out += std::to_string(value); }

void append_text(std::string& out, uint64_t value) { out += std::to_string(value); }

}  // namespace reprise
