// Gradients of pooling. Each image is scattered by one task in the order of its results, so that
// windows may overlap and sums still have one order.

#include <array>

#include "../../core/ops/fused_pool.h"
#include "pool_window.h"

namespace reprise {
namespace cpu {
namespace {

/// Indices come from MaxPool2d, but a graph read from a file may hold any.
inline int64_t checked_place(std::string_view op, int64_t place, int64_t places) {
  check(place >= 0 && place < places, ErrorKind::Index, op, ": expected indices in [0, ", places,
        "), got ", place);
  return place;
}

/// Places of windows in their image.
struct WindowPlaces {
  PoolWindow window;
  std::array<int64_t, kMostWindowPlaces> row{}, column{};

  explicit WindowPlaces(const PoolWindow& w) : window(w) {
    for (int64_t i = 0; i < w.rows.kernel * w.columns.kernel; ++i) {
      row[static_cast<size_t>(i)] = i / w.columns.kernel;
      column[static_cast<size_t>(i)] = i % w.columns.kernel;
    }
  }

  int64_t in_image(int64_t i, int64_t j, uint8_t place) const {
    const PoolAxis &down = window.rows, &across = window.columns;
    const int64_t h = i * down.stride - down.padding + row[place];
    const int64_t w = j * across.stride - across.padding + column[place];
    check(place < down.kernel * across.kernel && h >= 0 && h < down.in && w >= 0 && w < across.in,
          ErrorKind::Index, FusedMaxPool2dGrad::name, ": place ", int{place}, " of window (", i,
          ", ", j, ") is not in the image");
    return h * across.in + w;
  }
};

template <class T>
void scatter_maxima(const WindowPlaces& places, const T* gy, const uint8_t* place, T* gx) {
  const PoolWindow& window = places.window;
  std::fill_n(gx, window.rows.in * window.columns.in, T(0));
  for (int64_t i = 0; i < window.rows.out; ++i) {
    for (int64_t j = 0; j < window.columns.out; ++j) {
      gx[places.in_image(i, j, *place++)] += *gy++;
    }
  }
}

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
  const auto* index = l.in[1].as<int64_t>();
  visit_floating(name, gy.dtype, [&]<class T>() {
    cpu::parallel_for_images(gx.shape, [&](int64_t begin, int64_t end) {
      for (int64_t image = begin; image < end; ++image) {
        T* to = l.out[0].as<T>() + image * places;
        std::fill_n(to, places, T(0));
        for (int64_t i = image * results; i < (image + 1) * results; ++i) {
          to[cpu::checked_place(name, index[i], places)] += l.in[0].as<T>()[i];
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
        cpu::scatter_maxima(places, l.in[0].as<T>() + i * results,
                            l.in[1].as<uint8_t>() + i * results, l.out[0].as<T>() + i * pixels);
      }
    });
  });
}

void MaxPool2dGather::cpu(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  const int64_t results = y.shape[2] * y.shape[3], places = x.shape[2] * x.shape[3];
  const auto* index = l.in[1].as<int64_t>();
  visit_floating(name, x.dtype, [&]<class T>() {
    cpu::parallel_for_images(y.shape, [&](int64_t begin, int64_t end) {
      for (int64_t image = begin; image < end; ++image) {
        const T* from = l.in[0].as<T>() + image * places;
        for (int64_t i = image * results; i < (image + 1) * results; ++i) {
          l.out[0].as<T>()[i] = from[cpu::checked_place(name, index[i], places)];
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
