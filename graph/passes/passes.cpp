#include "passes.h"

#include <algorithm>
#include <cstdlib>

#include "../verify.h"

namespace reprise {
namespace {

constexpr std::array kPasses{
    Pass{"dead_code", passes::dead_code},
    Pass{"algebra", passes::algebra},
    Pass{"spare_fills", passes::spare_fills},
    Pass{"common_subexpressions", passes::common_subexpressions},
    Pass{"fuse", passes::fuse},
    Pass{"pack_weights", passes::pack_weights},
    Pass{"hoist", passes::hoist},
    Pass{"small_pool_places", passes::small_pool_places},
    Pass{"fuse_elementwise", passes::fuse_elementwise},
    Pass{"early_updates", passes::early_updates},
    Pass{"merge_updates", passes::merge_updates},
    Pass{"foreach_writes", passes::foreach_writes},
    Pass{"short_gradients", passes::short_gradients},
    Pass{"foreach_copies", passes::foreach_copies},
};

std::string known_names() {
  std::string out;
  for (const Pass& pass : kPasses) (out += out.empty() ? "" : ", ") += pass.name;
  return out;
}

/// Which passes a spec is about, and whether it names those to leave out.
struct Selection {
  std::array<bool, kPasses.size()> named{};
  bool excluding = true;

  explicit Selection(std::string_view spec) {
    for (bool first = true; !spec.empty(); first = false) {
      const size_t comma = std::min(spec.find(','), spec.size());
      add(spec.substr(0, comma), first);
      spec.remove_prefix(std::min(comma + 1, spec.size()));
    }
  }

  bool has(size_t pass) const { return named[pass] != excluding; }

 private:
  void add(std::string_view name, bool first) {
    const bool minus = name.starts_with('-');
    if (first) excluding = minus;
    check(minus == excluding, ErrorKind::Value,
          "passes: expected names all with or all without -, got ", name);
    name.remove_prefix(minus ? 1 : 0);
    if (name == "none" && !minus) return;
    const auto found = std::ranges::find(kPasses, name, &Pass::name);
    check(found != kPasses.end(), ErrorKind::Value, "passes: there is no pass named ", name,
          "; the passes are ", known_names());
    named[static_cast<size_t>(found - kPasses.begin())] = true;
  }
};

}  // namespace

std::span<const Pass> all_passes() { return kPasses; }

Graph optimize(Graph graph, std::string_view spec, bool verify) {
  const char* environment = spec.empty() ? std::getenv("REPRISE_PASSES") : nullptr;
  const Selection selection(environment != nullptr ? environment : spec);
  for (size_t i = 0; i < kPasses.size(); ++i) {
    if (!selection.has(i)) continue;
    try {
      graph = kPasses[i].run(std::move(graph));
      if (verify) reprise::verify(graph);
    } catch (Error& error) {
      error.prepend(text("pass ", kPasses[i].name));
      throw;
    }
  }
  return graph;
}

}  // namespace reprise
