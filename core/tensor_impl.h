#pragma once
// What the handles on one tensor share.

#include "meta.h"
#include "ref.h"
#include "storage.h"

namespace reprise {

struct TensorImpl;

/// Opaque to core: autograd keeps here what it knows of a tensor.
struct REPRISE_API History : RefCounted<History> {
  virtual ~History() = default;
  /// A tensor with this history is gone.
  virtual void tensor_died(const TensorImpl&) noexcept {}
  /// Iterative, since a history may own a chain of a million others. Defined in autograd/.
  static void destroy(History* history) noexcept;
};

class Symbol;  // opaque to core: the node of a symbolic tensor (dispatch.h)

struct REPRISE_API TensorImpl : RefCounted<TensorImpl> {
  TensorImpl(const Meta& m, Ref<Storage> s, int64_t first = 0);
  ~TensorImpl();

  Meta meta;
  int64_t offset = 0;    ///< of the first element, in elements
  Ref<Storage> storage;  ///< null: no data (meta and symbolic tensors)
  Ref<History> history;
  Ref<Symbol> symbol;
  bool is_view = false;
  uint32_t output_index = 0;  ///< which output of `history` this tensor is
};

}  // namespace reprise
