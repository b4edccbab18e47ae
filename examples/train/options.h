#pragma once
// The command line of reprise-train.

#include <cstdint>
#include <optional>
#include <string>

struct Options {
  std::string model = "toy_resnet";
  std::string data = "synthetic", folder;  ///< --data KIND[:FOLDER]
  int64_t epochs = 0, batch_size = 32;
  int64_t train_images = 0, test_images = 0;
  std::string optimizer = "adam", schedule = "cosine";
  double lr = 0;
  uint64_t seed = 0;
  std::string device = "cpu";
  int threads = 0;  ///< 0: all cores
  std::string save, load, draw;
  bool eval = false;
  bool compile = true;
};

enum ExitCode { kSuccess = 0, kFailure = 1, kWrongUsage = 2, kInterrupted = 130 };

/// Fills `options`. Returns the exit code when there is nothing to run: help was asked for, or the
/// usage was wrong; the text for the user has been printed then.
std::optional<ExitCode> parse_options(int argc, char** argv, Options& options);
