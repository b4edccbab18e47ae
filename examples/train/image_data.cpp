#include "image_data.h"

using namespace reprise;

namespace {

template <class Images>
ImageData from_folder(const Options& o, std::vector<float> mean, std::vector<float> std) {
  const auto set = [&](bool train, int64_t count) {
    return std::make_shared<FirstImages>(std::make_shared<Images>(o.folder, train), count);
  };
  const DatasetRef test = set(false, o.test_images);
  const DatasetRef train = o.eval ? test : set(true, o.train_images);
  return {train, test, std::move(mean), std::move(std)};
}

}  // namespace

ImageData load_images(const Options& o) {
  if (o.data == "mnist") return from_folder<Mnist>(o, {0.1307F}, {0.3081F});
  if (o.data == "cifar10") {
    return from_folder<Cifar10>(o, {0.4914F, 0.4822F, 0.4465F}, {0.2470F, 0.2435F, 0.2616F});
  }
  constexpr int64_t kFarAway = int64_t{1} << 40;  // no training image is ever tested
  return {std::make_shared<SyntheticShapes>(o.train_images, o.seed),
          std::make_shared<SyntheticShapes>(o.test_images, o.seed, kFarAway),
          {0.4F, 0.4F, 0.4F},
          {0.25F, 0.25F, 0.25F}};
}
