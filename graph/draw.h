#pragma once
// Pictures of symbolic graphs: boxes are values, what stands on the lines between them are layers.

#include <climits>
#include <functional>

#include "model.h"

namespace reprise {

/// A value that is drawn.
struct DrawnValue {
  std::string_view name;      ///< what made it: "Conv2d_3", "Input_1"
  std::string_view type;      ///< "(None, 8, 28, 28)", "std::set<int>"
  std::string_view variable;  ///< its name in DrawOptions::names; empty when it has none there
  const Meta& meta;           ///< of a tensor
};

/// A call of a layer or function that is drawn.
struct DrawnCall {
  std::string_view name;    ///< "Conv2d_3"
  const nn::Module* layer;  ///< null for a function
};

struct DrawOptions {
  /// What stands in a box; by default the variable's name and the type. Lines end with '\n'.
  std::function<std::string(const DrawnValue&)> node_text = {};
  /// What stands on a line; by default the name.
  std::function<std::string(const DrawnCall&)> edge_text = {};
  /// Variables of the program and the symbols in them.
  std::vector<std::pair<std::string, AnySymbolic>> names = {};
  bool rotate = false;  ///< left to right instead of top to bottom
  /// The picture is scaled to fit in this many inches; zeros leave it as large as it comes.
  struct {
    double width = 0, height = 0;
  } figsize = {};
  /// Also written here, as its ending says: .dot or .gv, .svg, .png, .pdf.
  std::string file = {};
  bool expand_nested = false;  ///< models that are layers are drawn as boxes with what is in them
  int depth = INT_MAX;         ///< no more than so many boxes inside of each other
  /// Pictures with more values one after the other go on in another column, from a circle with a
  /// number to its like; by default 36, or 12 when rotated; 0: never.
  std::optional<int> wrap = {};
};

/// The graph as Graphviz text. Constants among the arguments of calls are not drawn. Writing the
/// other formats needs Graphviz, its library or its program `dot`. Value error for another ending
/// or a wrong size, Io error when there is no Graphviz, when it fails, or for a file that cannot be
/// written; Graph error for tensors that are not symbolic.
REPRISE_API std::string draw_graph(const SymbolicModel& model, const DrawOptions& options = {});
/// The part of a symbolic graph of which SymbolicModel(inputs, outputs) would be made.
REPRISE_API std::string draw_graph(const SymbolicTensors& inputs, const SymbolicTensors& outputs,
                                   const DrawOptions& options = {});

}  // namespace reprise
