#include "model/following.h"

#include <algorithm>

namespace segments {
namespace {

constexpr Millis minute_ms = 60'000, hour_ms = 60 * minute_ms, day_ms = 24 * hour_ms;
constexpr Millis ages_ms[] = {15 * minute_ms, hour_ms,     3 * hour_ms, 6 * hour_ms,
                              12 * hour_ms,   day_ms,      2 * day_ms,  3 * day_ms,
                              7 * day_ms,     14 * day_ms, 30 * day_ms, 90 * day_ms};
// Longer than a task's own retries take.
constexpr Millis first_pause_ms = hour_ms, longest_attempt_pause_ms = 30 * day_ms;

}  // namespace

bool is_followed(const SocialMediaUsage& usage) {
  return usage.post_id && may_be_post_id(*usage.post_id) && usage.source != MetricsSource::reported;
}

Millis next_reading_at(Millis since, Millis read_at) {
  const Millis latest = read_at + longest_pause_ms;  // also for a post that is to be there in a far future
  for (Millis age : ages_ms)
    if (since + age > read_at) return std::min(since + age, latest);
  return latest;
}

Millis next_attempt_at(int asked, Millis asked_at) {
  Millis pause = first_pause_ms;
  for (int i = 1; i < asked && pause < longest_attempt_pause_ms; ++i) pause *= 2;
  return asked_at + std::min(pause, longest_attempt_pause_ms);
}

}  // namespace segments
