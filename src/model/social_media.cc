#include "model/social_media.h"

#include <algorithm>

#include "base/time.h"

namespace segments {

std::optional<double> engagement_rate_of(const SocialMediaUsage& usage) {
  const auto& unreported = usage.unreported;
  bool views_known = std::find(unreported.begin(), unreported.end(), "views") == unreported.end();
  if (usage.views <= 0 || !views_known) return std::nullopt;
  double engagement = static_cast<double>(usage.likes) + static_cast<double>(usage.shares) +
                      static_cast<double>(usage.comments);
  return 100 * engagement / static_cast<double>(usage.views);
}

void set_unread(SocialMediaUsage& usage, std::optional<MetricsSource> source) {
  usage.unreported = {"views", "likes", "shares", "comments"};
  usage.source = source;
}

void apply_reading(SocialMediaUsage& usage, const MetricsReading& reading) {
  usage.unreported.clear();
  auto put = [&](std::int64_t& count, const std::optional<std::int64_t>& read, const char* name) {
    count = std::max<std::int64_t>(0, read.value_or(0));
    if (!read) usage.unreported.emplace_back(name);
  };
  put(usage.views, reading.views, "views");
  put(usage.likes, reading.likes, "likes");
  put(usage.shares, reading.shares, "shares");
  put(usage.comments, reading.comments, "comments");
  usage.engagement_rate = engagement_rate_of(usage);
  usage.source = reading.source;
  usage.last_synced = reading.read_at;
}

const char* fault_of_posted_at(std::string_view time) {
  return parse_time(time) ? nullptr : "The time is like 2026-11-22T17:00:00Z (RFC 3339), years 1970 to 9999.";
}

}  // namespace segments
