// GatherGrad and IndexSelectGrad: sums at indices, without atomics. Where there are many lines
// along the dimension, or short ones, a thread walks each. Else the places that are written are
// sorted, with the order of their terms behind them, and a thread sums each run of equal ones. In
// both ways the terms of an element are added in the order of the index, as on the CPU. Indices out
// of range are reported and left out.

#include <bit>

#include "../../core/ops/index.h"

#include "index.cuh"
#include "pack.cuh"
#include "sort.cuh"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

constexpr int64_t kManyLines = 1 << 17, kShortLine = 64;
constexpr int64_t kMostKeys = int64_t{1} << 31, kMostPlaces = (int64_t{1} << 32) - 1;
constexpr uint64_t kNowhere = ~uint64_t{0};

/// Sums of src into out.
struct Scatter {
  int64_t length = 0, lines = 1;
  Offsets<3> line;  // where lines begin in index, src and out
  int64_t index_step = 0, src_step = 0;
  Line to;  // along a line of out

  int64_t terms = 0, width = 1;  // of the index as it is sorted; elements that share an index
  int64_t places = 1;            // that the keys name
  Offsets<3> term;               // index, src, and where in out a key of 0 would be
  Offsets<2> beside;             // elements that share an index: in src and out
  int64_t key_step = 1;          // in out, between keys
  int64_t at_step = 1;           // in keys, between indices
  int64_t inner = 1;             // of the index: elements between those of a line

  bool walks() const {
    return length <= kShortLine || lines >= kManyLines || terms >= kMostKeys ||
           places >= kMostPlaces;
  }
  int64_t keys() const { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(terms))); }
};

template <class T>
__global__ void walk_lines(Scatter s, T* out, const T* src, const int64_t* index,
                           IndexCheck check) {
  for (int64_t i = first_index(); i < s.lines; i += index_step()) {
    const auto place = s.line(i);
    for (int64_t k = 0; k < s.length; ++k) {
      const int64_t at = s.to.wrapped(index[place.of[0] + k * s.index_step]);
      if (s.to.holds(at)) {
        out[place.of[2] + at * s.to.step] += src[place.of[1] + k * s.src_step];
      } else {
        check.report(index[place.of[0] + k * s.index_step],
                     (i / s.inner * s.length + k) * s.inner + i % s.inner);
      }
    }
  }
}

/// A key is a place above the number of a term.
__global__ void make_keys(Scatter s, uint64_t* keys, int64_t count, const int64_t* index,
                          IndexCheck check) {
  for (int64_t i = first_index(); i < count; i += index_step()) {
    uint64_t key = kNowhere;
    if (i < s.terms) {
      const auto place = s.term(i);
      const int64_t at = s.to.wrapped(index[place.of[0]]);
      if (s.to.holds(at)) {
        const auto to = static_cast<uint64_t>(place.of[2] + at * s.at_step);
        key = to << 32 | static_cast<uint64_t>(i);
      } else {
        check.report(index[place.of[0]], i);
      }
    }
    keys[i] = key;
  }
}

template <class T>
__global__ void sum_runs(Scatter s, T* out, const T* src, const uint64_t* keys) {
  for (int64_t t = first_index(); t < s.terms * s.width; t += index_step()) {
    const int64_t first = t / s.width;
    const uint64_t to = keys[first] >> 32;
    if (keys[first] == kNowhere || (first > 0 && keys[first - 1] >> 32 == to)) continue;
    const auto place = s.beside(t % s.width);
    T sum = 0;
    for (int64_t i = first; i < s.terms && keys[i] >> 32 == to; ++i) {
      const auto term = static_cast<int64_t>(keys[i] & 0xFFFFFFFF);
      sum += src[place.of[0] + s.term(term).of[1]];
    }
    out[place.of[1] + static_cast<int64_t>(to) * s.key_step] = sum;
  }
}

template <class T>
void add_at(const Launch& l, const Scatter& s, const IndexCheck& check) {
  const View &src = l.in[0], &index = l.in[1], &out = l.out[0];
  const auto stream = static_cast<cudaStream_t>(l.stream.handle);
  if (out.meta->numel() == 0) return;
  REPRISE_CUDA_CHECK(cudaMemsetAsync(out.data, 0, out.meta->nbytes(), stream));
  if (src.meta->numel() == 0) return;
  const T* from = src.as<T>();
  const auto* at = index.as<int64_t>();
  if (s.walks()) {
    launch(l.stream, blocks_for(s.lines), kThreads, walk_lines<T>, s, out.as<T>(), from, at, check);
    return;
  }
  auto* keys = static_cast<uint64_t*>(l.workspace);
  launch(l.stream, blocks_for(s.keys()), kThreads, make_keys, s, keys, s.keys(), at, check);
  sort_keys(l.stream, keys, s.keys());
  launch(l.stream, blocks_for(s.terms * s.width), kThreads, sum_runs<T>, s, out.as<T>(), from,
         keys);
}

/// Every element of src has an index of its own, and keys are elements of out.
Scatter scatter_elements(const Meta& src, const Meta& index, const Shape& shape, int dim) {
  const Strides out = contiguous_strides(shape);
  Scatter s;
  s.to = line_of(shape, out, dim);
  s.terms = index.numel();
  s.places = shape.numel();
  s.at_step = s.to.step;
  s.term = offsets_of<3>(index.shape, {index.strides, src.strides, without(out, dim)});
  s.length = s.terms;
  if (shape.empty()) return s;
  const auto d = static_cast<size_t>(dim);
  Shape lines = index.shape;
  lines[d] = 1;
  s.length = index.shape[d];
  s.lines = lines.numel();
  s.index_step = index.strides[d];
  s.inner = contiguous_strides(index.shape)[d];
  s.src_step = src.strides[d];
  s.line = offsets_of<3>(lines, {index.strides, src.strides, out});
  return s;
}

/// Lines of src share a list of indices, and keys are rows of out.
Scatter scatter_rows(const Meta& src, const Meta& list, int64_t size, int dim) {
  const auto d = static_cast<size_t>(dim);
  Shape shape = src.shape, lines = src.shape;
  shape[d] = size;
  lines[d] = 1;
  const Strides out = contiguous_strides(shape);
  Scatter s;
  s.to = {size, out[d], size};
  s.length = s.terms = src.shape[d];
  s.lines = s.width = lines.numel();
  s.index_step = list.strides[0];
  s.src_step = src.strides[d];
  s.line = offsets_of<3>(lines, {Shape::filled(src.dim(), 0), src.strides, out});
  s.places = size;
  s.term.push(s.terms, {s.index_step, s.src_step, 0});
  s.beside = offsets_of<2>(lines, {src.strides, out});
  s.key_step = out[d];
  return s;
}

size_t workspace_of(const Scatter& s) {
  return s.walks() ? 0 : static_cast<size_t>(s.keys()) * sizeof(uint64_t);
}

}  // namespace

size_t gather_grad_workspace(const Meta& src, const Meta& index, const Shape& shape, int dim) {
  return workspace_of(scatter_elements(src, index, shape, dim));
}
size_t index_select_grad_workspace(const Meta& src, const Meta& list, int64_t size, int dim) {
  return workspace_of(scatter_rows(src, list, size, dim));
}

}  // namespace cuda

void GatherGrad::cuda(const Launch& l) const {
  const auto s = cuda::scatter_elements(*l.in[0].meta, *l.in[1].meta, shape, dim);
  const cuda::IndexCheck check(name, l.in[1].meta->shape, dim, s.to.size);
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() { cuda::add_at<T>(l, s, check); });
}

void IndexSelectGrad::cuda(const Launch& l) const {
  const auto s = cuda::scatter_rows(*l.in[0].meta, *l.in[1].meta, size, dim);
  const cuda::IndexCheck check(name, l.in[1].meta->shape, dim, size, -size);
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() { cuda::add_at<T>(l, s, check); });
}

}  // namespace reprise
