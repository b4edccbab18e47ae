#pragma once
// How far a training is, as text; whoever calls prints it.

#include <cstdint>
#include <string>

#include "../core/export.h"

namespace reprise {

struct Progress {
  int64_t epoch = 1, epochs = 1;   ///< counted from 1
  int64_t batch = 0, batches = 0;  ///< done, and of the whole epoch
  int64_t images = 0;              ///< seen in this epoch
  double loss = 0, accuracy = 0;   ///< means over these images; accuracy from 0 to 1
  double seconds = 0;              ///< since the epoch began
};

/// "0:07", "12:34", "1:02:03"
REPRISE_API std::string duration_text(double seconds);

/// A line for a terminal, to be drawn over itself; the bar takes what `width` columns leave to it.
/// "epoch 2/5 [=====>    ] 120/469  loss 0.2134  accuracy 93.10 %  2345 images/s  0:07 left"
REPRISE_API std::string progress_bar(const Progress& progress, int width = 100);

/// The line of an epoch that is done.
/// "epoch 2/5  loss 0.2134  accuracy 93.10 %  2345 images/s  0:12"
REPRISE_API std::string progress_line(const Progress& progress);

}  // namespace reprise
