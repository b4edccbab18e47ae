#include "options.h"

#include <CLI/CLI.hpp>
#include <map>

#include "models.h"

namespace {

struct DataDefaults {
  int64_t epochs, train_images, test_images;
};
constexpr int64_t kAllImages = INT64_MAX;

const std::map<std::string, DataDefaults> kData{{"synthetic", {4, 15000, 2000}},
                                                {"mnist", {2, kAllImages, kAllImages}},
                                                {"cifar10", {10, kAllImages, kAllImages}}};

constexpr const char* kFooter =
    "Weights are saved before the test. Ctrl-C stops after the batch and saves too.\n"
    "Exit code: 0 success, 1 failure, 2 wrong usage, 130 stopped by Ctrl-C.";

std::string check_data(const std::string& text) {
  const size_t colon = text.find(':');
  const bool has_folder = colon != std::string::npos && colon + 1 < text.size();
  const bool known = kData.contains(text.substr(0, colon));
  const bool good = text == "synthetic" || (known && has_folder && text.find("synthetic") != 0);
  return good ? "" : "expected synthetic, mnist:DIR or cifar10:DIR, got " + text;
}

void add_options(CLI::App& app, Options& o, std::string& data) {
  const CLI::Range positive(int64_t{1}, INT64_MAX, "POSITIVE");
  app.add_option("--model", o.model, "What to train")
      ->check(CLI::IsMember(&known_models()))
      ->capture_default_str();
  app.add_option("--data", data, "Images: synthetic, mnist:DIR or cifar10:DIR")
      ->check(CLI::Validator(check_data, "DATA"))
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "Default: synthetic 4, mnist 2, cifar10 10")
      ->check(positive);
  app.add_option("--batch-size", o.batch_size, "Images of a step")
      ->check(positive)
      ->capture_default_str();
  app.add_option("--train-images", o.train_images, "Default: synthetic 15000, else all")
      ->check(positive);
  app.add_option("--test-images", o.test_images, "Default: synthetic 2000, else all")
      ->check(positive);
  app.add_option("--optimizer", o.optimizer, "adam, or sgd (momentum 0.9)")
      ->check(CLI::IsMember({"sgd", "adam"}))
      ->capture_default_str();
  app.add_option("--lr", o.lr, "Learning rate at first; default: adam 0.001, sgd 0.02")
      ->check(CLI::PositiveNumber);
  app.add_option("--schedule", o.schedule, "Learning rate from epoch to epoch: cosine, constant")
      ->check(CLI::IsMember({"cosine", "constant"}))
      ->capture_default_str();
  app.add_option("--seed", o.seed, "Of weights, order, dropout, synthetic images")
      ->capture_default_str();
  app.add_flag("--compile,!--no-compile", o.compile,
               "Run compiled programs (the default) or op by op: the same results");
  app.add_option("--device", o.device, "Where to train: cpu, or cuda for the first GPU")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  app.add_option("--threads", o.threads, "Default: all cores")->check(CLI::Range(1, 1024));
  auto* save = app.add_option("--save", o.save, "File for the weights; default: MODEL.safetensors");
  auto* load = app.add_option("--load", o.load, "File of weights to start from");
  app.add_option("--draw", o.draw,
                 "File for a picture of the model: .svg, .png or .pdf (by Graphviz), or .dot");
  app.add_flag("--eval", o.eval, "Only test the loaded weights")->needs(load)->excludes(save);
}

void fill_defaults(Options& o, const std::string& data) {
  const size_t colon = data.find(':');
  o.data = data.substr(0, colon);
  if (colon != std::string::npos) o.folder = data.substr(colon + 1);
  const DataDefaults& defaults = kData.at(o.data);
  if (o.epochs == 0) o.epochs = defaults.epochs;
  if (o.train_images == 0) o.train_images = defaults.train_images;
  if (o.test_images == 0) o.test_images = defaults.test_images;
  if (o.lr == 0) o.lr = o.optimizer == "adam" ? 1e-3 : 2e-2;
  if (o.save.empty()) o.save = o.model + ".safetensors";
}

}  // namespace

std::optional<ExitCode> parse_options(int argc, char** argv, Options& options) {
  CLI::App app("Trains a small model on images and tests it on others.", "reprise-train");
  app.footer(kFooter);
  std::string data = options.data;
  add_options(app, options, data);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kSuccess : kWrongUsage;
  }
  fill_defaults(options, data);
  return std::nullopt;
}
