// Gather and IndexSelect: a thread for each element, or for 16 bytes of a row that is moved whole.
// Indices out of range are reported and give 0.

#include "../../core/ops/index.h"

#include "index.cuh"
#include "pack.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class Word>
__global__ void gather(Word* y, const Word* x, const int64_t* index, Offsets<2> places, Line line,
                       int64_t numel, int64_t pack, int64_t per_index, IndexCheck check) {
  for (int64_t i = first_index(); i < numel; i += index_step()) {
    const auto place = places(i);
    const int64_t at = line.wrapped(index[place.of[0]]);
    const bool there = line.holds(at);
    y[i] = there ? x[place.of[1] + at * line.step] : Word{};
    if (!there) check.report(index[place.of[0]], i * pack / per_index);
  }
}

/// What is moved: elements of y, whose offsets in the index and in x are known.
struct Move {
  Offsets<2> places;
  Line line;
  int64_t numel;
  int64_t pack, per_index;  // elements moved as one, and that share an index
  IndexCheck check;
};

template <class Word>
void launch_gather(const Launch& l, const Move& move) {
  launch(l.stream, blocks_for(move.numel), kThreads, gather<Word>, l.out[0].as<Word>(),
         l.in[0].as<Word>(), l.in[1].as<int64_t>(), move.places, move.line, move.numel, move.pack,
         move.per_index, move.check);
}

/// Neighbours as one element, when they share an index and lie dense in x.
bool try_packs(const Launch& l, const Move& move, int64_t pack) {
  Offsets<2> packs;
  for (int d = 0; d < move.places.dims; ++d) {
    const int64_t size = move.places.size(d), step = move.places.strides[d][1];
    const bool fits =
        d == 0 ? move.places.strides[0][0] == 0 && step == 1 && size % pack == 0 : step % pack == 0;
    if (!fits) return false;
    packs.push(d == 0 ? size / pack : size, {move.places.strides[d][0], d == 0 ? 1 : step / pack});
  }
  if (packs.dims == 0 || move.line.step % pack != 0) return false;
  if (!fit_packs(l.in[0].data, l.out[0].data)) return false;
  Line line = move.line;
  line.step /= pack;
  launch_gather<uint4>(l, {packs, line, move.numel / pack, pack, move.per_index, move.check});
  return true;
}

void gather(const Launch& l, const Move& move) {
  const auto element = static_cast<int64_t>(size_of(l.in[0].meta->dtype));
  if (try_packs(l, move, 16 / element)) return;
  switch (element) {
    case 1: return launch_gather<uint8_t>(l, move);
    case 2: return launch_gather<uint16_t>(l, move);
    case 4: return launch_gather<uint32_t>(l, move);
    default: return launch_gather<uint64_t>(l, move);
  }
}

}  // namespace
}  // namespace cuda

void Gather::cuda(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &index = *l.in[1].meta;
  const cuda::Line line = cuda::line_of(x.shape, x.strides, dim);
  cuda::gather(l, {cuda::offsets_of<2>(index.shape, {index.strides, cuda::without(x.strides, dim)}),
                   line,
                   index.numel(),
                   1,
                   1,
                   {name, index.shape, dim, line.size}});
}

void IndexSelect::cuda(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  cuda::Line line = cuda::line_of(x.shape, x.strides, dim);
  line.wrap = line.size;
  const Meta& index = *l.in[1].meta;
  const Strides list = cuda::only(y.dim(), dim, index.strides[0]);
  const int64_t beside = contiguous_strides(y.shape)[static_cast<size_t>(dim)];
  cuda::gather(l, {cuda::offsets_of<2>(y.shape, {list, cuda::without(x.strides, dim)}),
                   line,
                   y.numel(),
                   1,
                   beside,
                   {name, index.shape, dim, line.size, -line.size}});
}

}  // namespace reprise
