#pragma once
// The images that the options name.

#include <reprise/reprise.h>

#include "options.h"

struct ImageData {
  reprise::DatasetRef train, test;
  std::vector<float> mean, std;  ///< of each channel, over the training images
};

ImageData load_images(const Options& options);
