#pragma once
// Maxima over rows of an image, column by column, for windows that do not overlap: their columns
// lie side by side, so each element is loaded once, and a tap of all windows is a shuffle.

#include "extremes.h"
#include "stride_load.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

/// Step vectors of columns: the maxima, where they stand, and whether there was a NaN.
template <int Step, class T>
struct ColumnMaxima {
  using Places = Mask<Vec<T>>;
  using Place = Element<Places>;
  Vec<T> best[Step];
  Places places[Step], nan{};

  /// The first column of the first row stands at `first`.
  REPRISE_INLINE explicit ColumnMaxima(Place first) {
    constexpr T lowest = sizeof(T) == 4 ? -__builtin_inff() : -__builtin_inf();
    for (int i = 0; i < Step; ++i) {
      best[i] = broadcast(lowest);
      places[i] = column(first, i);
    }
  }

  /// Takes in the row of elements from x on, of which the first stands at `place`.
  REPRISE_INLINE void take(const T* x, Place place) {
    for (int i = 0; i < Step; ++i) {
      const Vec<T> next = load(x + i * kWidth<T>);
      const Places better = next > best[i];
      best[i] = larger(next, best[i]);
      places[i] = select<Places>(better, column(place, i), places[i]);
      nan |= next != next;
    }
  }

  /// Takes column Tap of all windows into their maxima; of equal values the one in front wins.
  template <int Tap>
  REPRISE_INLINE void merge(Vec<T>& most, Places& at) const {
    const Vec<T> next = every<Step, Tap>(best);
    const Places here = every<Step, Tap>(places);
    const Places better = (next > most) | ((next == most) & (here < at));
    most = select<Vec<T>>(better, next, most);
    at = select<Places>(better, here, at);
  }

 private:
  REPRISE_INLINE static Places column(Place first, int vector) {
    return iota<Place>() + (first + static_cast<Place>(vector * kWidth<T>));
  }
};

}  // namespace reprise::cpu::REPRISE_ISA
