#include "model/cutting.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace segments {

namespace {

constexpr double shortest = 0.1;   // seconds; a shorter piece may hold no frame at all
constexpr double rounding = 1e-9;  // of the sums and quotients below, relative to lengths of seconds
constexpr std::int64_t max_pieces = 10'000;

// splitmix64 over FNV-1a of the seed: the same on every machine and library, unlike std::'s distributions.
class Draws {
 public:
  explicit Draws(std::string_view seed) {
    for (char c : seed) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  double between(double low, double high) {
    state_ += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    mixed ^= mixed >> 31;
    double part = static_cast<double>(mixed >> 11) * 0x1.0p-53;
    double drawn = std::round((low + (high - low) * part) * 1000) / 1000;
    return std::clamp(drawn, low, high);
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325;
};

struct Range {
  double low, high;
};

// One bound alone moves the other's default out of its way.
Range random_range(const CuttingOptions& options) {
  double low = options.min_duration.value_or(std::min(15.0, options.max_duration.value_or(15)));
  double high = options.max_duration.value_or(std::max(45.0, low));
  return {low, high};
}

Error refuse(const std::string& sentence) {
  return invalid_input({{"/cutting_options", "range", sentence}});
}

void check_count(double count) {
  if (count > static_cast<double>(max_pieces))
    throw refuse("These options would give more than 10000 pieces of this video.");
}

// Nobody posts a clip of a fifth of a second: containers seldom end on the second that their makers had in
// mind.
double shortest_remainder(double piece) {
  return std::clamp(piece / 10, shortest, 1.0);
}

// Consecutive pieces that end at these times; what is left behind the last becomes a piece or joins it.
std::vector<Cut> cover(const std::vector<double>& ends, double duration, double least) {
  std::vector<Cut> cuts;
  double start = 0;
  for (double end : ends) {
    cuts.push_back({start, end});
    start = end;
  }
  if (cuts.empty() || duration - start >= least - rounding) cuts.push_back({start, duration});
  cuts.back().end = duration;
  return cuts;
}

std::vector<Cut> plan_fixed(double piece, double duration) {
  check_count(duration / piece);
  auto count = static_cast<std::int64_t>(std::floor(duration / piece + rounding));
  std::vector<double> ends;
  for (std::int64_t i = 1; i <= count; ++i) ends.push_back(static_cast<double>(i) * piece);
  return cover(ends, duration, shortest_remainder(piece));
}

// The number of pieces follows from the mean length alone, so that it is known before the seed is; then each
// length is drawn between those bounds that leave the rest possible.
std::vector<Cut> plan_random(Range range, double duration, std::string_view seed) {
  double mean = (range.low + range.high) / 2;
  check_count(duration / mean);
  auto fewest = static_cast<std::int64_t>(std::ceil(duration / range.high - rounding));
  auto most = static_cast<std::int64_t>(std::floor(duration / range.low + rounding));
  // No number of pieces fits: as many whole ones as there is room for, and a shorter one behind them.
  bool fits = fewest <= most;
  auto count = fits ? std::clamp(static_cast<std::int64_t>(std::round(duration / mean)), fewest, most) : most;
  check_count(static_cast<double>(count));
  Draws draws(seed);
  std::vector<double> ends;
  double at = 0;
  for (std::int64_t left = count; left > 0; --left) {
    double low = range.low, high = range.high;
    if (fits) {
      double rest = duration - at;
      low = std::max(low, rest - static_cast<double>(left - 1) * range.high);
      high = std::min(high, rest - static_cast<double>(left - 1) * range.low);
    }
    at += low < high ? draws.between(low, high) : low;
    ends.push_back(at);
  }
  return cover(ends, duration, shortest_remainder(range.low));
}

std::vector<Cut> plan_marks(const std::vector<std::vector<double>>& marks, double duration) {
  std::vector<Cut> cuts;
  for (const auto& mark : marks) {
    Cut cut{mark[0], std::min(mark[1], duration)};
    if (cut.end - cut.start >= shortest - rounding) cuts.push_back(cut);
  }
  if (cuts.empty()) throw refuse("No mark lies within the video.");
  check_count(static_cast<double>(cuts.size()));
  return cuts;
}

void check_length(const std::optional<double>& length, const char* pointer, std::vector<Fault>& faults) {
  if (length && !(*length >= shortest && *length <= 86'400))
    faults.push_back({pointer, "range", "A piece is at least 0.1 and at most 86400 seconds long."});
}

void check_marks(const CuttingOptions& options, std::vector<Fault>& faults) {
  const std::string pointer = "/cutting_options/marks";
  if (!options.marks || options.marks->empty()) {
    faults.push_back({pointer, "required", "The type \"marks\" needs at least one mark [start, end]."});
    return;
  }
  for (std::size_t i = 0; i < options.marks->size(); ++i) {
    const auto& mark = (*options.marks)[i];
    auto at = pointer + "/" + std::to_string(i);
    if (mark.size() != 2)
      faults.push_back({at, "length", "A mark is [start, end] in seconds."});
    else if (!(mark[0] >= 0) || !(mark[1] - mark[0] >= shortest - rounding) || !std::isfinite(mark[1]))
      faults.push_back(
          {at, "range", "A mark starts at 0 or later and ends at least 0.1 seconds after its start."});
  }
}

}  // namespace

void check_cutting(const CuttingOptions& options) {
  std::vector<Fault> faults;
  check_length(options.duration_seconds, "/cutting_options/duration_seconds", faults);
  check_length(options.min_duration, "/cutting_options/min_duration", faults);
  check_length(options.max_duration, "/cutting_options/max_duration", faults);
  if (options.min_duration && options.max_duration && *options.min_duration > *options.max_duration)
    faults.push_back(
        {"/cutting_options/max_duration", "range", "\"max_duration\" must not be below \"min_duration\"."});
  if (options.type == CuttingType::marks) check_marks(options, faults);
  if (!faults.empty()) throw invalid_input(std::move(faults));
}

std::vector<Cut> plan_cuts(const CuttingOptions& options, double duration, std::string_view seed) {
  check_cutting(options);
  if (!std::isfinite(duration) || duration <= 0) throw refuse("The video has no length that could be cut.");
  switch (options.type) {
    case CuttingType::fixed:
      return plan_fixed(options.duration_seconds.value_or(30), duration);
    case CuttingType::random:
      return plan_random(random_range(options), duration, seed);
    case CuttingType::marks:
      return plan_marks(*options.marks, duration);
  }
  throw refuse("The type of cutting is not known.");
}

}  // namespace segments
