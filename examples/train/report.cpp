#include "report.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iomanip>
#include <iostream>

using namespace reprise;

namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);

int columns() {
  constexpr int kDefault = 80, kMost = 120;
  winsize size{};
  const bool known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? std::min<int>(size.ws_col, kMost) : kDefault;
}

void print_cost(const char* name, const StepCost& cost) {
  std::cout << name << ": " << std::fixed << std::setprecision(0) << cost.images_per_second
            << " images/s, " << std::setprecision(1) << static_cast<double>(cost.bytes) / 1e6
            << " MB a step";
}

void print_row(const std::string& name, int64_t images, int64_t correct) {
  const double share = images == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(images);
  std::cout << std::left << std::setw(12) << name << std::right << std::setw(8) << images
            << std::setw(9) << correct << std::setw(9) << std::fixed << std::setprecision(2)
            << 100 * share << " %\n";
}

}  // namespace

Reporter::Reporter() : terminal_(::isatty(STDERR_FILENO) == 1) {}

Reporter::~Reporter() { erase(); }

void Reporter::operator()(const Progress& progress, bool epoch_done) {
  if (terminal_ && !epoch_done) draw(progress);
  if (!epoch_done) return;
  erase();
  std::cout << progress_line(progress) << std::endl;
}

void Reporter::draw(const Progress& progress) {
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - last_ < kRedraw) return;
  const int width = columns() - 1;  // a full line would wrap on some terminals
  const std::string line = progress_bar(progress, width).substr(0, static_cast<size_t>(width));
  std::cerr << '\r' << line << "\x1b[K" << std::flush;
  drawn_ = true;
  last_ = now;
}

void Reporter::erase() {
  if (drawn_) std::cerr << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

void print_costs(const StepCosts& costs) {
  print_cost("compiled", costs.compiled);
  print_cost("; eager", costs.eager);
  std::cout << std::endl;
}

void print_score(const Score& score, const std::vector<std::string>& classes) {
  std::cout << "\nclass         images  correct   accuracy\n";
  for (size_t i = 0; i < classes.size(); ++i) {
    print_row(classes[i], score.images[i], score.correct[i]);
  }
  print_row("test", score.total_images(), score.total_correct());
}
