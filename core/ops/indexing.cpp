// Indexing as in Python, and tensors cut into lists: made of select, slice, unsqueeze and
// index_select.

#include <algorithm>

#include "../dispatch.h"
#include "../ops.h"

namespace reprise {
namespace {

/// The size of a dimension that tells how many tensors there will be.
int64_t known_size(std::string_view what, const Tensor& x, int64_t dim) {
  const int64_t size = x.shape()[static_cast<size_t>(wrap_dim(what, dim, x.dim()))];
  if (size == kUnknown) {
    fail(ErrorKind::Graph, what, ": the size of dim ", dim, " of ", x.shape(),
         " is not known before replay; give Input a batch_size");
  }
  return size;
}

template <class T>
bool is(const Index& index) {
  return std::holds_alternative<T>(index.value());
}

/// How many dimensions of `x` an ellipsis among `indices` stands for.
int64_t check_indices(const Tensor& x, const std::vector<Index>& indices) {
  const int64_t ellipses = std::ranges::count_if(indices, is<EllipsisType>);
  const int64_t tensors = std::ranges::count_if(indices, is<Tensor>);
  const int64_t taken = static_cast<int64_t>(indices.size()) - ellipses -
                        std::ranges::count_if(indices, is<std::nullopt_t>);
  check(ellipses <= 1, ErrorKind::Value, "index: expected at most one ellipsis, got ", ellipses);
  check(tensors <= 1, ErrorKind::Value, "index: expected at most one tensor, got ", tensors);
  check(taken <= x.dim(), ErrorKind::Index, "index: expected at most ", x.dim(),
        " indices for a tensor of shape ", x.shape(), ", got ", taken);
  return x.dim() - taken;
}

/// Takes one index after the other; `dim` is where the next one applies.
struct Indexer {
  Tensor y;
  int64_t ellipsis;
  const Tensor& positions;
  int64_t dim = 0;

  void operator()(int64_t i) { y = select(y, dim, i); }
  void operator()(const Slice& s) { y = slice(y, dim++, s.start, s.stop, s.step); }
  void operator()(EllipsisType) { dim += ellipsis; }
  void operator()(std::nullopt_t) { y = unsqueeze(y, dim++); }
  void operator()(const Tensor&) {
    const bool both = y.has_data() && positions.has_data();  // the CPU's may pick from a GPU's
    y = index_select(y, dim, both ? positions.to(y.device()) : positions);
    dim += positions.dim();
  }
};

}  // namespace

Tensor index(const Tensor& x, const std::vector<Index>& indices) {
  check_indices(x, indices);
  Tensor positions;  // a symbolic one is an argument of the node
  std::vector<Index> plain = indices;
  for (Index& i : plain) {
    if (!is<Tensor>(i)) continue;
    positions = std::get<Tensor>(i.value());
    check(positions.defined(), ErrorKind::Value, "index: expected a tensor, got an undefined one");
    i = Index(Tensor());
  }
  return composite(
      "index",
      [plain = std::move(plain)](const Tensor& a, const Tensor& at) {
        Indexer indexer{a, check_indices(a, plain), at};
        for (const Index& i : plain) std::visit(indexer, i.value());
        return indexer.y;
      },
      x, positions);
}

std::string to_string(const Index& index) {
  const auto bound = [](std::optional<int64_t> b) { return b ? text(*b) : std::string(); };
  struct Writer {
    decltype(bound) bound_text;
    std::string operator()(int64_t i) const { return text(i); }
    std::string operator()(const Slice& s) const {
      const std::string range = bound_text(s.start) + ":" + bound_text(s.stop);
      return s.step == 1 ? range : text(range, ":", s.step);
    }
    std::string operator()(EllipsisType) const { return "..."; }
    std::string operator()(std::nullopt_t) const { return "None"; }
    std::string operator()(const Tensor& x) const {
      return x.defined() ? text(x.dtype(), x.shape()) : "undefined";
    }
  };
  return std::visit(Writer{bound}, index.value());
}

Tensors unbind(const Tensor& x, int64_t dim) {
  known_size("unbind", x, dim);
  return composite(
      "unbind",
      [dim](const Tensor& a) {
        Tensors out;
        for (int64_t i = 0; i < a.size(dim); ++i) out.push_back(select(a, dim, i));
        return out;
      },
      x);
}

Tensors split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim) {
  const int64_t size = known_size("split", x, dim);
  int64_t left = size;
  for (const int64_t s : sizes) {
    check(s >= 0 && s <= left, ErrorKind::Shape, "split: expected sizes that add up to ", size,
          ", got ", s, " where ", left, " are left");
    left -= s;
  }
  check(left == 0, ErrorKind::Shape, "split: expected sizes that add up to ", size, ", got ",
        size - left);
  return composite(
      "split",
      [sizes, dim](const Tensor& a) {
        Tensors out;
        int64_t start = 0;
        for (const int64_t s : sizes) {
          out.push_back(slice(a, dim, start, start + s));
          start += s;
        }
        return out;
      },
      x);
}

Tensors split(const Tensor& x, int64_t split_size, int64_t dim) {
  check(split_size > 0, ErrorKind::Value, "split: expected a split_size of at least 1, got ",
        split_size);
  const int64_t size = known_size("split", x, dim);
  std::vector<int64_t> sizes;
  for (int64_t start = 0; start < size || sizes.empty(); start += split_size) {
    sizes.push_back(std::min(split_size, size - start));
  }
  return split(x, sizes, dim);
}

Tensors chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  check(chunks > 0, ErrorKind::Value, "chunk: expected at least 1 chunk, got ", chunks);
  const int64_t size = known_size("chunk", x, dim);
  if (size == 0) return split(x, std::vector<int64_t>(static_cast<size_t>(chunks), 0), dim);
  return split(x, (size - 1) / chunks + 1, dim);
}

TensorIterator Tensor::begin() const {
  check(dim() > 0, ErrorKind::Shape, "iteration: expected at least 1 dimension, got a scalar");
  known_size("iteration", *this, 0);
  return {*this, 0};
}
TensorIterator Tensor::end() const { return {*this, dim() == 0 ? 0 : shape()[0]}; }

void detail::fail_unpack(size_t expected, size_t got) {
  fail(ErrorKind::Value, "unpack: expected ", expected, " tensors, got ", got);
}

}  // namespace reprise
