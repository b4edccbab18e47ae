#include "scope.h"

#include "dispatch.h"

namespace reprise::detail {
namespace {

constinit thread_local Scope* innermost = nullptr;

}  // namespace

std::string to_string(const ScopePath& path) {
  std::string out = path.name;
  for (const ScopePath* at = path.above.get(); at != nullptr; at = at->above.get()) {
    if (!at->name.empty()) out.insert(0, text(at->name, "."));
  }
  return out;
}

Scope::Scope(const std::string& name) : is_open_(!name.empty()) {
  if (!is_open_) return;
  name_ = &name;
  above_ = std::exchange(innermost, this);
  tracer_ = interpreter();
  if (tracer_ != nullptr) tracer_->enter(name);
}

Scope::Scope(const Ref<const ScopePath>& path) : path_(path), is_open_(path) {
  if (!is_open_) return;
  above_ = std::exchange(innermost, this);
  tracer_ = interpreter();
  if (tracer_ != nullptr) tracer_->enter(to_string(*path_));
}

Scope::~Scope() {
  if (!is_open_) return;
  innermost = above_;
  if (tracer_ != nullptr) tracer_->leave();
}

Ref<const ScopePath> Scope::current() { return innermost == nullptr ? nullptr : innermost->path(); }

Ref<const ScopePath> Scope::path() {
  if (!path_)
    path_ = make_ref<const ScopePath>(above_ == nullptr ? nullptr : above_->path(), *name_);
  return path_;
}

}  // namespace reprise::detail
