// Gradients of pooling. Each image is scattered by one task in the order of its results, so that
// windows may overlap and sums still have one order.

#include <array>

#include "../../core/index_error.h"
#include "../../core/ops/fused_pool.h"
#include "pool_window.h"

namespace reprise {
namespace cpu {
namespace {

/// Indices come from MaxPool2d, but a graph read from a file may hold any.
inline int64_t checked_place(std::string_view op, const View& index, int64_t i, int64_t places) {
  const int64_t place = index.as<int64_t>()[i];
  if (place < 0 || place >= places)
    detail::fail_index(op, -1, 0, places, place, detail::index_of(i, index.meta->shape));
  return place;
}

[[noreturn]] void refuse_place(int64_t i, int64_t j, uint8_t place) {
  fail(ErrorKind::Index, FusedMaxPool2dGrad::name, ": place ", int{place}, " of window (", i, ", ",
       j, ") is not in the image");
}

/// Places of windows in their image.
class WindowPlaces {
 public:
  explicit WindowPlaces(const PoolWindow& w)
      : window_(w), count_(w.rows.kernel * w.columns.kernel), inside_(fits(w.rows, w.columns)) {
    for (int64_t i = 0; i < count_; ++i) {
      const int64_t row = i / w.columns.kernel, column = i % w.columns.kernel;
      offset_[static_cast<size_t>(i)] = row * w.columns.in + column;
    }
  }

  /// One image.
  template <class T>
  void scatter(const T* gy, const uint8_t* place, T* gx) const {
    const PoolAxis &down = window_.rows, &across = window_.columns;
    std::fill_n(gx, down.in * across.in, T(0));
    for (int64_t i = 0; i < down.out; ++i) {
      int64_t corner = (i * down.stride - down.padding) * across.in - across.padding;
      for (int64_t j = 0; j < across.out; ++j, ++place, corner += across.stride) {
        if (*place >= count_ || (!inside_ && !covers(i, j, *place))) refuse_place(i, j, *place);
        gx[corner + offset_[*place]] += *gy++;
      }
    }
  }

 private:
  static bool fits(const PoolAxis& rows, const PoolAxis& columns) {
    const auto fit = [](const PoolAxis& axis) {
      return axis.padding == 0 && (axis.out - 1) * axis.stride + axis.kernel <= axis.in;
    };
    return fit(rows) && fit(columns);
  }
  bool covers(int64_t i, int64_t j, uint8_t place) const {
    const PoolAxis &down = window_.rows, &across = window_.columns;
    const int64_t h = i * down.stride - down.padding + place / across.kernel;
    const int64_t w = j * across.stride - across.padding + place % across.kernel;
    return h >= 0 && h < down.in && w >= 0 && w < across.in;
  }

  PoolWindow window_;
  int64_t count_;
  bool inside_;  // all windows lie in the image
  std::array<int64_t, kMostWindowPlaces> offset_{};
};

template <class T>
void scatter_average(const PoolWindow& window, const T* gy, T* gx) {
  const int64_t width = window.columns.in;
  std::fill_n(gx, window.rows.in * width, T(0));
  each_window(window, [&](int64_t result, const PoolSpan& rows, const PoolSpan& columns) {
    const T share = gy[result] / static_cast<T>(divisor_of(window, result));
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) gx[h * width + w] += share;
    }
  });
}

}  // namespace
}  // namespace cpu

void MaxPool2dGrad::cpu(const Launch& l) const {
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  const int64_t results = gy.shape[2] * gy.shape[3], places = size.h * size.w;
  const View& index = l.in[1];
  visit_floating(name, gy.dtype, [&]<class T>() {
    cpu::parallel_for_images(gx.shape, [&](int64_t begin, int64_t end) {
      for (int64_t image = begin; image < end; ++image) {
        T* to = l.out[0].as<T>() + image * places;
        std::fill_n(to, places, T(0));
        for (int64_t i = image * results; i < (image + 1) * results; ++i) {
          to[cpu::checked_place(name, index, i, places)] += l.in[0].as<T>()[i];
        }
      }
    });
  });
}

void FusedMaxPool2dGrad::cpu(const Launch& l) const {
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  const cpu::WindowPlaces places(cpu::window_of(*this, gx.shape, gy.shape));
  const int64_t results = gy.shape[2] * gy.shape[3], pixels = size.h * size.w;
  visit_floating(name, gy.dtype, [&]<class T>() {
    cpu::parallel_for_images(gx.shape, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        places.scatter(l.in[0].as<T>() + i * results, l.in[1].as<uint8_t>() + i * results,
                       l.out[0].as<T>() + i * pixels);
      }
    });
  });
}

void MaxPool2dGather::cpu(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  const int64_t results = y.shape[2] * y.shape[3], places = x.shape[2] * x.shape[3];
  const View& index = l.in[1];
  visit_floating(name, x.dtype, [&]<class T>() {
    cpu::parallel_for_images(y.shape, [&](int64_t begin, int64_t end) {
      for (int64_t image = begin; image < end; ++image) {
        const T* from = l.in[0].as<T>() + image * places;
        for (int64_t i = image * results; i < (image + 1) * results; ++i) {
          l.out[0].as<T>()[i] = from[cpu::checked_place(name, index, i, places)];
        }
      }
    });
  });
}

void AvgPool2dGrad::cpu(const Launch& l) const {
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  const cpu::PoolWindow window = cpu::window_of(*this, gx.shape, gy.shape);
  const int64_t results = gy.shape[2] * gy.shape[3], places = size.h * size.w;
  visit_floating(name, gy.dtype, [&]<class T>() {
    cpu::parallel_for_images(gx.shape, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        cpu::scatter_average(window, l.in[0].as<T>() + i * results, l.out[0].as<T>() + i * places);
      }
    });
  });
}

}  // namespace reprise
