// A straight line of elementwise ops, tile by tile. Operands that lie dense, and results, are read
// and written where they lie; the others have slots of one tile each in the scratch of the thread,
// all of which fit the first-level cache: broadcast and strided inputs are gathered there, and
// steps that are no results live there until their last use. Every step runs the loop that the op
// alone would run, so an element gets the same bits.

#include "../../core/ops/fused.h"
#include "../../core/model.h"

#include <algorithm>
#include <array>
#include <bit>

#include "../../core/ops/elementwise.h"
#include "../../core/tensor.h"
#include "assign.h"
#include "elementwise_loop.h"
#include "gather_range.h"
#include "nest.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kSlotBytes = 24 << 10;  // of all slots
constexpr int64_t kSlotGap = 320;         // lest slots lie a multiple of 4096 bytes apart
constexpr int64_t kLeastTile = 256, kMostTile = 4096;
constexpr size_t kMostOperands = kMostFusedInputs + kMostFusedSteps;

/// Where an operand lies: dense from `data` on, or, when that is null, in a slot.
struct Place {
  std::byte* data;
  int slot, element;
  DType dtype;
};

struct Step {
  Loop loop;
  const void* self;
  uint8_t operands;
  uint8_t in[3];
};

/// What a launch runs, found out once for all tiles.
class Line {
 public:
  Line(const Fused& op, const Launch& l, int64_t n) : in_(l.in), steps_count_(op.steps.size()) {
    for (size_t i = 0; i < steps_count_; ++i) {
      places_[in_.size() + i].data = nullptr;
      for (const int64_t k : op.steps[i].in) last_use_[k] = static_cast<int>(i);
    }
    place_inputs(op, l);
    for (size_t r = 0; r < l.out.size(); ++r) {
      places_[op.results[r]].data = l.out[r].as<std::byte>();
    }
    for (size_t i = 0; i < steps_count_; ++i) add_step(i, op.steps[i]);
    choose_tile(n);
  }

  int64_t tile() const { return tile_; }

  /// Elements [begin, end), by one thread.
  void run(int64_t begin, int64_t end) const {
    std::byte* const scratch = slots_ == 0 ? nullptr : thread_scratch().data();
    for (int64_t at = begin; at < end; at += tile_) {
      const int64_t n = std::min(tile_, end - at);
      for (size_t k = 0; k < in_.size(); ++k) {
        if (places_[k].data != nullptr || (at > begin && constant_ >> k & 1)) continue;
        gather_range(in_[k], at, n, address(k, at, scratch));
      }
      run_tile(at, n, scratch);
    }
  }

 private:
  std::byte* address(size_t operand, int64_t at, std::byte* scratch) const {
    const Place& p = places_[operand];
    return p.data != nullptr ? p.data + at * p.element : scratch + p.slot * slot_bytes_;
  }

  void run_tile(int64_t at, int64_t n, std::byte* scratch) const {
    for (size_t i = 0; i < steps_count_; ++i) {
      const Step& step = steps_[i];
      void* operands[4] = {address(in_.size() + i, at, scratch)};
      for (size_t k = 0; k < step.operands; ++k) {
        operands[k + 1] = address(step.in[k], at, scratch);
      }
      step.loop(step.self, n, operands);
    }
  }

  /// An input that a result takes the place of, and that is read afterwards, is saved in a slot.
  bool overwritten(const Fused& op, const Launch& l, size_t input) const {
    for (size_t r = 0; r < l.out.size(); ++r) {
      const int64_t step = op.results[r] - static_cast<int64_t>(l.in.size());
      if (l.out[r].data == l.in[input].data && last_use_[input] > step) return true;
    }
    return false;
  }

  void place_inputs(const Fused& op, const Launch& l) {
    for (size_t k = 0; k < l.in.size(); ++k) {
      const Meta& meta = *l.in[k].meta;
      set_type(places_[k], meta.dtype);
      if (meta.is_contiguous() && !overwritten(op, l, k)) {
        places_[k].data = l.in[k].as<std::byte>();
      } else {
        places_[k].data = nullptr;
        take_slot(places_[k]);
        if (fits_period(period_of(meta))) constant_ |= 1U << k;
      }
    }
  }

  /// Tiles are cut so that an input that repeats is the same in all of them, if they may be.
  bool fits_period(int64_t period) {
    if (period > kLeastTile) return false;
    const auto [least, most] = std::minmax(period, period_);
    if (least != 1 && most % least != 0) return false;
    period_ = most;
    return true;
  }

  void choose_tile(int64_t n) {
    const int64_t each = slots_ * slot_element_;
    tile_ = n;  // small tensors are one tile, found without a division
    if (n > kMostTile || n * each > kSlotBytes) {
      const int64_t fit = each == 0 ? kMostTile : kSlotBytes / each / 64 * 64;
      tile_ = std::clamp(fit, kLeastTile, kMostTile) / period_ * period_;
    }
    slot_bytes_ = (tile_ * slot_element_ + 63) / 64 * 64 + kSlotGap;
  }

  void add_step(size_t i, const FusedStep& fused) {
    const ElementwiseIndex index = fused.op->traits().elementwise;
    Step& step = steps_[i];
    step.operands = static_cast<uint8_t>(fused.in.size());
    std::copy(fused.in.begin(), fused.in.end(), step.in);
    step.self = fused.op.get();  // elementwise ops have no attributes to read
    const DType from = places_[fused.in.back()].dtype;
    Place& out = places_[in_.size() + i];
    if (index == ElementwiseIndex::Copy) {
      set_type(out, static_cast<const Model<Copy>&>(*fused.op).op.dtype);
      step.loop = conversion_loop(out.dtype, from);
    } else {
      set_type(out, is_predicate(index) ? bool_ : from);
      step.loop = elementwise_loop(index, from);
    }
    if (out.data == nullptr) take_slot(out);
    give_back(i, fused);
  }

  static void set_type(Place& place, DType dtype) {
    place.dtype = dtype;
    place.element = static_cast<int>(size_of(dtype));
  }
  void take_slot(Place& place) {
    place.slot = std::countr_zero(free_);
    free_ &= free_ - 1;
    slots_ = std::max<int64_t>(slots_, place.slot + 1);
    slot_element_ = std::max<int64_t>(slot_element_, place.element);
  }
  /// The slots of operands that no later step reads, but for those filled once for all tiles.
  void give_back(size_t step, const FusedStep& fused) {
    for (const int64_t k : fused.in) {
      const bool constant = k < static_cast<int64_t>(in_.size()) && (constant_ >> k & 1);
      if (places_[k].data != nullptr || constant || last_use_[k] != static_cast<int>(step))
        continue;
      free_ |= uint64_t{1} << places_[k].slot;
    }
  }

  std::span<const View> in_;
  size_t steps_count_;
  unsigned constant_ = 0;  // bit k: input k is the same in every tile, and gathered once
  uint64_t free_ = ~uint64_t{0};
  int64_t slots_ = 0, slot_element_ = 1, slot_bytes_ = 0, period_ = 1, tile_ = kMostTile;
  Place places_[kMostOperands];
  int last_use_[kMostOperands];
  Step steps_[kMostFusedSteps];
};

/// A launch whose dimensions stand in the order in which channels-last results lie, so that these
/// read as row-major. What is done to each element alone does not care.
class ChannelsLast {
 public:
  explicit ChannelsLast(const Launch& l) {
    size_t k = 0;
    for (const std::span<const View> views : {l.in, l.out}) {
      for (const View& v : views) {
        metas_[k] = in_order(*v.meta);
        views_[k] = {v.data, &metas_[k]};
        ++k;
      }
    }
    const std::span<const View> all(views_);
    launch = {all.first(l.in.size()), all.subspan(l.in.size(), l.out.size()), nullptr, l.stream};
  }

  Launch launch;

 private:
  static Meta in_order(const Meta& m) {
    const auto permuted = [](const Shape& s) { return Shape{s[0], s[2], s[3], s[1]}; };
    return {permuted(m.shape), permuted(m.strides), m.dtype};
  }

  std::array<Meta, kMostFusedInputs + kMostFusedResults> metas_;
  std::array<View, kMostFusedInputs + kMostFusedResults> views_;
};

}  // namespace
}  // namespace cpu

void Fused::cpu(const Launch& l) const {
  const int64_t n = l.out[0].meta->numel();
  if (n == 0) return;
  if (!l.out[0].meta->is_contiguous()) return cpu(cpu::ChannelsLast(l).launch);
  const cpu::Line line(*this, l, n);
  if (n <= line.tile()) return line.run(0, n);
  const auto work = static_cast<int64_t>(steps.size() + l.in.size());
  const int64_t tiles = std::max<int64_t>(1, 2 * cpu::kParallelElements / work / line.tile());
  parallel_for(n, tiles * line.tile(), [&](int64_t begin, int64_t end) { line.run(begin, end); });
}

}  // namespace reprise
