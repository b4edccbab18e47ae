// Packing is hard in general, so several ways are tried and the smallest arena is taken. It cannot
// be smaller than the largest set in use at one time: once it is as small, nothing more is tried.
//   sweep     goes through time with a list of free ranges, the tightest first: ideal for equal
//             sizes, and within some percent for others.
//   best fit  puts slots, those with long lives, much area or many bytes first, into the tightest
//             hole between those placed before. Quadratic, so only for a bounded number of slots.

#include "plan_layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace reprise::detail {
namespace {

constexpr size_t kMostForBestFit = 1024;

using Order = std::vector<size_t>;
using Offsets = std::vector<int64_t>;

/// Free ranges of an arena that grows at its end.
class FreeList {
 public:
  int64_t take(int64_t bytes) {
    const auto fit = by_size_.lower_bound({bytes, 0});
    if (fit == by_size_.end()) return grow(bytes);
    const auto [size, offset] = *fit;
    erase(offset, size);
    if (size > bytes) insert(offset + bytes, size - bytes);
    return offset;
  }

  void give(int64_t offset, int64_t bytes) {
    auto next = by_offset_.lower_bound(offset);
    if (next != by_offset_.end() && next->first == offset + bytes) {
      bytes += next->second;
      next = erase(next->first, next->second);
    }
    if (next != by_offset_.begin()) {
      const auto [before, size] = *std::prev(next);
      if (before + size == offset) {
        erase(before, size);
        offset = before;
        bytes += size;
      }
    }
    insert(offset, bytes);
  }

 private:
  int64_t grow(int64_t bytes) {
    int64_t offset = end_;
    if (!by_offset_.empty()) {
      const auto [last, size] = *std::prev(by_offset_.end());
      if (last + size == end_) {
        erase(last, size);
        offset = last;
      }
    }
    end_ = offset + bytes;
    return offset;
  }
  void insert(int64_t offset, int64_t bytes) {
    by_offset_[offset] = bytes;
    by_size_.insert({bytes, offset});
  }
  std::map<int64_t, int64_t>::iterator erase(int64_t offset, int64_t bytes) {
    by_size_.erase({bytes, offset});
    return by_offset_.erase(by_offset_.find(offset));
  }

  std::map<int64_t, int64_t> by_offset_;
  std::set<std::pair<int64_t, int64_t>> by_size_;
  int64_t end_ = 0;
};

class Layout {
 public:
  Layout(std::span<const Slot> slots, int64_t gap) : slots_(slots) {
    for (const Slot& slot : slots) {
      bytes_.push_back(footprint(slot.bytes, gap, slot.device));
      times_ = std::max(times_, slot.last + 1);
    }
    const auto in_use = bytes_in_use(slots, gap, times_);
    bound_ = in_use.empty() ? 0 : *std::max_element(in_use.begin(), in_use.end());
  }

  std::pair<Offsets, int64_t> run() {
    offer([&] { return sweep(); });
    if (slots_.size() > kMostForBestFit) return {std::move(best_), arena_};
    const auto length = [](const Slot& s) { return int64_t{1} + s.last - s.first; };
    offer([&] { return best_fit([&](const Slot& s) { return std::pair(s.bytes, length(s)); }); });
    offer([&] { return best_fit([&](const Slot& s) { return std::pair(length(s), s.bytes); }); });
    offer([&] {
      return best_fit([&](const Slot& s) {
        return static_cast<double>(s.bytes) * static_cast<double>(length(s));
      });
    });
    return {std::move(best_), arena_};
  }

 private:
  template <class Key>
  Order order(const Key& key) const {
    Order out(slots_.size());
    std::iota(out.begin(), out.end(), size_t{0});
    std::stable_sort(out.begin(), out.end(),
                     [&](size_t a, size_t b) { return key(slots_[a]) > key(slots_[b]); });
    return out;
  }

  template <class Strategy>
  void offer(const Strategy& strategy) {
    if (arena_ == bound_) return;
    Offsets offsets = strategy();
    int64_t arena = 0;
    for (size_t s = 0; s < offsets.size(); ++s) arena = std::max(arena, offsets[s] + bytes_[s]);
    if (arena >= arena_) return;
    arena_ = arena;
    best_ = std::move(offsets);
  }

  /// Of slots that begin at one time the largest chooses first.
  Offsets sweep() const {
    Offsets offsets(slots_.size(), 0);
    FreeList free;
    std::multimap<int32_t, size_t> ends;
    for (size_t s : order([](const Slot& slot) { return std::pair(-slot.first, slot.bytes); })) {
      for (; !ends.empty() && ends.begin()->first < slots_[s].first; ends.erase(ends.begin())) {
        const size_t ended = ends.begin()->second;
        free.give(offsets[ended], bytes_[ended]);
      }
      if (bytes_[s] == 0) continue;
      offsets[s] = free.take(bytes_[s]);
      ends.insert({slots_[s].last, s});
    }
    return offsets;
  }

  /// Slots of the largest key first.
  template <class Key>
  Offsets best_fit(const Key& key) const {
    Offsets offsets(slots_.size(), 0);
    Order placed;  // by offset
    for (size_t s : order(key)) {
      offsets[s] = tightest_hole(s, placed, offsets);
      const auto after = [&](int64_t offset, size_t p) { return offset < offsets[p]; };
      placed.insert(std::upper_bound(placed.begin(), placed.end(), offsets[s], after), s);
    }
    return offsets;
  }

  int64_t tightest_hole(size_t s, const Order& placed, const Offsets& offsets) const {
    int64_t end = 0, best = -1, best_size = INT64_MAX;
    for (size_t p : placed) {
      if (slots_[p].last < slots_[s].first || slots_[s].last < slots_[p].first) continue;
      const int64_t size = offsets[p] - end;
      if (size >= bytes_[s] && size < best_size) {
        best = end;
        best_size = size;
      }
      end = std::max(end, offsets[p] + bytes_[p]);
    }
    return best < 0 ? end : best;
  }

  std::span<const Slot> slots_;
  Offsets bytes_, best_;
  int32_t times_ = 0;
  int64_t bound_ = 0, arena_ = INT64_MAX;
};

}  // namespace

std::vector<int64_t> bytes_in_use(std::span<const Slot> slots, int64_t gap, int32_t times,
                                  std::optional<Device> device) {
  std::vector<int64_t> in_use(static_cast<size_t>(times) + 1, 0);
  for (const Slot& slot : slots) {
    if (device && *device != slot.device) continue;
    const int64_t bytes = footprint(slot.bytes, gap, slot.device);
    in_use[static_cast<size_t>(slot.first)] += bytes;
    in_use[static_cast<size_t>(slot.last) + 1] -= bytes;
  }
  std::partial_sum(in_use.begin(), in_use.end(), in_use.begin());
  in_use.pop_back();
  return in_use;
}

int64_t lay_out(std::span<Slot> slots, int64_t gap, Device device, int64_t begin) {
  Order which;
  std::vector<Slot> here;
  for (size_t s = 0; s < slots.size(); ++s) {
    if (slots[s].device != device) continue;
    which.push_back(s);
    here.push_back(slots[s]);
  }
  if (here.empty()) return 0;
  const auto [offsets, bytes] = Layout(here, gap).run();
  for (size_t k = 0; k < which.size(); ++k) slots[which[k]].offset = begin + offsets[k];
  return bytes;
}

}  // namespace reprise::detail
