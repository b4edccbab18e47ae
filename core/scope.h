#pragma once
// Where op calls stand among layers, so that errors, traces and the tape can say so.

#include <string>

#include "export.h"
#include "ref.h"

namespace reprise {

class Interpreter;

namespace detail {

/// "conv", of "block", of "stem". Of an empty one paths begin anew.
struct ScopePath : RefCounted<ScopePath> {
  ScopePath(Ref<const ScopePath> outer, std::string part)
      : above(std::move(outer)), name(std::move(part)) {}
  const Ref<const ScopePath> above;  ///< null: none
  const std::string name;
};

/// "stem.block.conv"
REPRISE_API std::string to_string(const ScopePath& path);

/// While it lives, the ops of this thread belong to the part called `name`, which must outlive it.
/// An empty name changes nothing.
class REPRISE_API Scope {
 public:
  explicit Scope(const std::string& name);
  explicit Scope(std::string&& name) = delete;
  /// Goes back to where other calls stood; null changes nothing.
  explicit Scope(const Ref<const ScopePath>& path);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  /// Null outside of any; made when it is asked for first.
  static Ref<const ScopePath> current();

 private:
  Ref<const ScopePath> path();

  const std::string* name_ = nullptr;
  Ref<const ScopePath> path_;
  Scope* above_ = nullptr;
  Interpreter* tracer_ = nullptr;
  bool is_open_ = false;
};

}  // namespace detail
}  // namespace reprise
