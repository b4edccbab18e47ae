// reprise-draw FOLDER: draws the models of docs/images.

#include <reprise/reprise.h>

#include <iostream>

#include "../models/models.h"

using namespace reprise;

namespace {

std::string with_parameters(const DrawnCall& call) {
  const int64_t count = call.layer == nullptr ? 0 : call.layer->num_parameters();
  return count == 0 ? std::string(call.name) : text(call.name, "\n", count, " parameters");
}

void draw_two_inputs(const std::string& file) {
  const Tensor photo = Input({3, 32, 32}), tabular = Input({64});
  auto x = nn::Conv2d(3, 8, 3)(photo)(nn::ReLU())(nn::MaxPool2d(3))(nn::Flatten());
  const Tensor left = nn::Linear(x.features(), 32)(x);
  const Tensor features = (left * nn::Linear(64, 32)(tabular))(nn::Tanh());
  const Tensor price = nn::Linear(32, 1)(features), logits = nn::Linear(32, 10)(features);
  const auto [score, label] = max(logits, 1);
  draw_graph({photo, tabular}, {price, score, label},
             {.edge_text = with_parameters,
              .names = {{"photo", photo},
                        {"tabular", tabular},
                        {"features", features},
                        {"price", price},
                        {"score", score},
                        {"label", label}},
              .file = file});
}

void draw_nested(const std::string& file) {
  const Tensor image = Input({1, 28, 28});
  auto x = nn::Conv2d(1, 8, 3, {.padding = 1})(image)(nn::ReLU());
  const SymbolicModel extractor(image, nn::Conv2d(8, 8, 3, {.padding = 1})(x)(nn::ReLU()));
  const Tensor first = Input({1, 28, 28}), second = Input({1, 28, 28});
  const Tensor a = extractor(first), b = extractor(second);
  draw_graph({first, second}, abs(a - b)(nn::Flatten()), {.file = file, .expand_nested = true});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: reprise-draw FOLDER\n";
    return 2;
  }
  const std::string folder = argv[1];
  try {
    draw_graph(models::resnet(20), {.file = folder + "/resnet20.svg", .wrap = 24});
    draw_two_inputs(folder + "/two_inputs.svg");
    draw_nested(folder + "/nested.svg");
  } catch (const std::exception& error) {
    std::cerr << "reprise-draw: " << error.what() << '\n';
    return 1;
  }
}
