// GatherGrad and IndexSelectGrad: sums at indices, without atomics. Where there are many lines
// along the dimension, or short ones, a thread walks each. Else the places that are written are
// sorted, with the order of their terms behind them, and a thread sums each run of equal ones; a
// long run is cut into chunks, so that no index is too frequent. The terms of an element are added
// in the order of the index, as on the CPU, up to a chunk of them. Sums of 16-bit terms are float
// and rounded once. Indices out of range are reported and left out.

#include <bit>

#include "../../core/ops/index.h"

#include "acc.cuh"
#include "index.cuh"
#include "sort.cuh"
#include "visit.h"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

constexpr int64_t kManyLines = 1 << 17, kShortLine = 64;
constexpr int64_t kMostKeys = int64_t{1} << 31, kMostPlaces = (int64_t{1} << 32) - 1;
constexpr uint64_t kNowhere = ~uint64_t{0};
constexpr int64_t kChunk = 256, kAcross = 32;

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

  bool sorts = false;

  /// For sums that are rounded as they are kept, a walk takes time with the square of the length.
  void choose(DType sum) {
    const bool walks = length <= kShortLine || (lines >= kManyLines && !is_half(sum));
    sorts = !walks && terms < kMostKeys && places < kMostPlaces;
  }
  int64_t chunks() const { return terms / kChunk + 1; }
  int64_t keys() const { return static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(terms))); }
};

/// The sum of all terms for the element `at` of a line, unless term k is not the first of them.
template <class T, class F>
__device__ void add_all(const Scatter& s, T& out, const T* src, int64_t k, const F& place_of) {
  const int64_t at = place_of(k);
  for (int64_t j = 0; j < k; ++j) {
    if (place_of(j) == at) return;
  }
  Acc<T> sum = 0;
  for (; k < s.length; ++k) {
    if (place_of(k) == at) sum += static_cast<Acc<T>>(src[k * s.src_step]);
  }
  out = static_cast<T>(sum);
}

template <class T>
__global__ void walk_lines(Scatter s, T* out, const T* src, const int64_t* index,
                           IndexCheck check) {
  for (int64_t i = first_index(); i < s.lines; i += index_step()) {
    const auto place = s.line(i);
    const auto place_of = [&](int64_t k) {
      return s.to.wrapped(index[place.of[0] + k * s.index_step]);
    };
    for (int64_t k = 0; k < s.length; ++k) {
      const int64_t at = place_of(k);
      if (!s.to.holds(at)) {
        check.report(index[place.of[0] + k * s.index_step],
                     (i / s.inner * s.length + k) * s.inner + i % s.inner);
        continue;
      }
      T& to = out[place.of[2] + at * s.to.step];
      if constexpr (is_half_type<T>)
        add_all(s, to, src + place.of[1], k, place_of);  // not rounded in between
      else
        to += src[place.of[1] + k * s.src_step];
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

/// Keys in order: those of one place are a run.
struct Runs {
  const uint64_t* keys;
  int64_t terms;

  __device__ uint64_t place(int64_t i) const { return keys[i] >> 32; }
  /// Whether i, and all from there to j, are of the same run.
  __device__ bool together(int64_t i, int64_t j) const {
    return i >= 0 && j < terms && place(i) == place(j) && keys[j] != kNowhere;
  }
  /// A run that reaches over the end of `chunk` has more chunks, and begins in this one or before.
  __device__ bool is_first_of_many(int64_t chunk) const {
    return together(chunk * kChunk, (chunk + 1) * kChunk) &&
           !together((chunk - 1) * kChunk, chunk * kChunk);
  }
};

/// Terms [first, end) as far as they are of one run, in their order.
template <class T>
__device__ Acc<T> sum_terms(const Scatter& s, const Runs& runs, const T* src, int64_t first,
                            int64_t end) {
  constexpr int kAtOnce = 4;
  const uint64_t to = runs.place(first);
  Acc<T> sum = 0;
  for (int64_t i = first; i < end && runs.place(i) == to; i += kAtOnce) {
    Acc<T> v[kAtOnce] = {};
    unrolled<kAtOnce>([&](int u) {
      if (i + u >= end || runs.place(i + u) != to) return;
      const auto term = static_cast<int64_t>(runs.keys[i + u] & 0xFFFFFFFF);
      v[u] = static_cast<Acc<T>>(src[s.term(term).of[1]]);
    });
    unrolled<kAtOnce>([&](int u) { sum += v[u]; });
  }
  return sum;
}

/// A thread takes a run, and where it is long, only to the first end of a chunk behind kChunk
/// terms; then others take a chunk each, and the sums go to `chunks`, one after another.
template <class T>
__global__ void sum_runs(Scatter s, T* out, const T* src, Runs runs, Acc<T>* chunks) {
  for (int64_t t = first_index(); t < s.terms * s.width; t += index_step()) {
    const int64_t first = t / s.width, chunk = (first + kChunk - 1) / kChunk;
    if (runs.keys[first] == kNowhere) continue;
    const bool leads = !runs.together(first - 1, first);
    const bool follows = first % kChunk == 0 && runs.together(first - kChunk, first);
    if (!leads && !follows) continue;
    const int64_t end = (chunk + 1) * kChunk;
    const auto place = s.beside(t % s.width);
    const Acc<T> sum = sum_terms(s, runs, src + place.of[0], first, end < s.terms ? end : s.terms);
    if (follows || runs.together(first, end))
      chunks[chunk * s.width + t % s.width] = sum;
    else
      out[place.of[1] + static_cast<int64_t>(runs.place(first)) * s.key_step] = static_cast<T>(sum);
  }
}

/// A block adds up the chunks of one run, `across` of the elements that share it.
template <class T>
__global__ void join_chunks(Scatter s, T* out, Runs runs, const Acc<T>* chunks, int64_t tiles,
                            int64_t across) {
  __shared__ Acc<T> shared[kThreads];
  const int64_t first = blockIdx.x / tiles, key = first * kChunk;
  if (!runs.is_first_of_many(first)) return;
  const int64_t column = blockIdx.x % tiles * across + threadIdx.x % across;
  Acc<T> sum = 0;
  for (int64_t c = first + threadIdx.x / across; column < s.width && runs.together(key, c * kChunk);
       c += blockDim.x / across) {
    sum += chunks[c * s.width + column];
  }
  shared[threadIdx.x] = sum;
  for (unsigned half = blockDim.x / 2; half >= across; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
  }
  if (threadIdx.x >= across || column >= s.width) return;
  out[s.beside(column).of[1] + static_cast<int64_t>(runs.place(key)) * s.key_step] =
      static_cast<T>(shared[threadIdx.x]);
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
  if (!s.sorts) {
    launch(l.stream, blocks_for(s.lines), kThreads, walk_lines<T>, s, out.as<T>(), from, at, check);
    return;
  }
  auto* keys = static_cast<uint64_t*>(l.workspace);
  launch(l.stream, blocks_for(s.keys()), kThreads, make_keys, s, keys, s.keys(), at, check);
  sort_keys(l.stream, keys, s.keys());
  auto* chunks = reinterpret_cast<Acc<T>*>(keys + s.keys());
  const Runs runs{keys, s.terms};
  launch(l.stream, blocks_for(s.terms * s.width), kThreads, sum_runs<T>, s, out.as<T>(), from, runs,
         chunks);
  if (s.terms <= kChunk) return;
  const auto across =
      static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::min(s.width, kAcross))));
  const int64_t tiles = (s.width + across - 1) / across;
  launch(l.stream, static_cast<unsigned>(s.chunks() * tiles), kThreads, join_chunks<T>, s,
         out.as<T>(), runs, chunks, tiles, across);
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
  s.choose(src.dtype);
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
  s.choose(src.dtype);
  return s;
}

size_t workspace_of(const Scatter& s) {
  return s.sorts ? static_cast<size_t>(s.keys() + s.chunks() * s.width) * sizeof(uint64_t) : 0;
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
  cuda::visit_any_floating(name, l.in[0].meta->dtype,
                           [&]<class T>() { cuda::add_at<T>(l, s, check); });
}

void IndexSelectGrad::cuda(const Launch& l) const {
  const auto s = cuda::scatter_rows(*l.in[0].meta, *l.in[1].meta, size, dim);
  const cuda::IndexCheck check(name, l.in[1].meta->shape, dim, size, -size);
  cuda::visit_any_floating(name, l.in[0].meta->dtype,
                           [&]<class T>() { cuda::add_at<T>(l, s, check); });
}

}  // namespace reprise
