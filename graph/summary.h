#pragma once
// What SymbolicModel::summary can show besides the plain table.

#include <cstdint>
#include <iosfwd>

namespace reprise {

struct SummaryOptions {
  std::ostream* stream = nullptr;  ///< the table is written there, too
  /// Characters of a row; longer texts are shortened with an ellipsis, and numbers only when that
  /// does not do. 0: as wide as needed. No column is shortened to less than three characters.
  int64_t width = 0;
  bool expand_nested = false;  ///< rows of nested models and Sequentials: 4.1, 4.2, ...
  bool dtype = false;          ///< a column
  bool trainable = false;      ///< a column: yes, no or partly
  /// Columns for the bytes of parameters, of what a forward returns, and of what the tape then
  /// keeps for backward, with the layers in the modes they are in now. What several ops keep counts
  /// once, at the first; parameters, buffers and constants do not count. The model is traced for
  /// it: nothing is computed, drawn or changed, and no other thread may train it meanwhile. "?" for
  /// C++ code in the graph (add_to_graph), which is not run.
  bool memory = false;
  int64_t batch_size = 1;  ///< for an unknown batch size in the columns of memory
};

}  // namespace reprise
