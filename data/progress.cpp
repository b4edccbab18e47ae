#include "progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "../core/error.h"

namespace reprise {
namespace {

std::string fixed(double value, int digits) {
  char buffer[64];
  const int n = std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return {buffer, std::min(static_cast<size_t>(n), sizeof buffer - 1)};
}

std::string two_digits(int64_t value) { return (value < 10 ? "0" : "") + std::to_string(value); }

std::string figures(const Progress& p) {
  const double rate = p.seconds > 0 ? static_cast<double>(p.images) / p.seconds : 0;
  return text("loss ", fixed(p.loss, 4), "  accuracy ", fixed(100 * p.accuracy, 2), " %  ",
              fixed(rate, 0), " images/s  ");
}

/// "[=====>    ]", `width` columns with its brackets; nothing when there is no room.
std::string bar(const Progress& p, int width) {
  const int inside = width - 2;
  if (inside < 3 || p.batches <= 0) return {};
  const auto done =
      static_cast<size_t>(std::clamp<int64_t>(p.batch, 0, p.batches) * inside / p.batches);
  std::string line(done, '=');
  line.resize(static_cast<size_t>(inside), ' ');
  if (done < line.size()) line[done] = '>';
  return text("[", line, "] ");
}

}  // namespace

std::string duration_text(double seconds) {
  constexpr double kLongest = 1e9;  // some thirty years; also stands for what is no number
  const double clamped = seconds <= kLongest ? std::max(seconds, 0.0) : kLongest;
  const auto total = static_cast<int64_t>(std::llround(clamped));
  const int64_t hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
  if (hours == 0) return text(minutes, ":", two_digits(rest));
  return text(hours, ":", two_digits(minutes), ":", two_digits(rest));
}

std::string progress_bar(const Progress& p, int width) {
  const std::string head = text("epoch ", p.epoch, "/", p.epochs, " ");
  std::string tail = text(p.batch, "/", p.batches, "  ", figures(p));
  if (p.batch > 0) {
    const auto left = static_cast<double>(p.batches - p.batch);
    tail += text(duration_text(p.seconds / static_cast<double>(p.batch) * left), " left");
  }
  const int room = width - static_cast<int>(head.size() + tail.size()) - 1;
  return head + bar(p, room) + tail;
}

std::string progress_line(const Progress& p) {
  return text("epoch ", p.epoch, "/", p.epochs, "  ", figures(p), duration_text(p.seconds));
}

}  // namespace reprise
