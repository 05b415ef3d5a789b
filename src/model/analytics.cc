#include "model/analytics.h"

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

namespace segments {

namespace {

// Counts come from outside; their sum must not wrap.
void add(std::int64_t& sum, std::int64_t count) {
  if (__builtin_add_overflow(sum, count, &sum)) sum = std::numeric_limits<std::int64_t>::max();
}

struct Mean {
  double sum = 0;
  std::int64_t count = 0;
  std::optional<double> value() const {
    return count ? std::optional(sum / static_cast<double>(count)) : std::nullopt;
  }
};

void add_rate(Mean& mean, const SocialMediaUsage& usage) {
  auto rate = engagement_rate_of(usage);
  if (!rate) return;
  mean.sum += *rate;
  ++mean.count;
}

template <class T>
void raise(std::optional<T>& newest, const std::optional<T>& candidate) {
  if (candidate && (!newest || *candidate > *newest)) newest = candidate;
}

void add_once(std::vector<std::string>& names, const std::string& name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

void add_usage(PlatformBreakdown& sums, const SocialMediaUsage& usage) {
  ++sums.posts;
  add(sums.views, usage.views);
  add(sums.likes, usage.likes);
  add(sums.shares, usage.shares);
  add(sums.comments, usage.comments);
  for (auto count : {usage.likes, usage.shares, usage.comments}) add(sums.engagement, count);
  for (const auto& name : usage.unreported) add_once(sums.unreported, name);
  if (usage.source) add_once(sums.sources, boost::describe::enum_to_string(*usage.source, ""));
  raise(sums.last_synced, usage.last_synced);
}

std::optional<SocialMediaPlatform> best_of(const std::vector<PlatformBreakdown>& platforms) {
  auto standing = [](const PlatformBreakdown& p) {
    return std::tuple(-p.engagement, -p.views,
                      std::string_view(boost::describe::enum_to_string(p.platform, "")));
  };
  const PlatformBreakdown* best = nullptr;
  for (const auto& platform : platforms) {
    // Nothing is known of it yet: it does not perform.
    if (platform.engagement == 0 && platform.views == 0) continue;
    if (!best || standing(platform) < standing(*best)) best = &platform;
  }
  return best ? std::optional(best->platform) : std::nullopt;
}

}  // namespace

SegmentAnalytics analyse(const Segment& segment) {
  SegmentAnalytics out;
  out.segment_id = segment.segment_id;
  std::map<SocialMediaPlatform, std::pair<PlatformBreakdown, Mean>> by_platform;
  Mean mean;
  for (const auto& usage : segment.social_media_usage) {
    auto& [sums, platform_mean] = by_platform[usage.platform];
    sums.platform = usage.platform;
    add_usage(sums, usage);
    add_rate(platform_mean, usage);
    add_rate(mean, usage);
  }
  for (auto& [platform, entry] : by_platform) {
    auto& [sums, platform_mean] = entry;
    sums.engagement_rate = platform_mean.value();
    add(out.total_views, sums.views);
    add(out.total_likes, sums.likes);
    add(out.total_shares, sums.shares);
    add(out.total_comments, sums.comments);
    add(out.total_engagement, sums.engagement);
    raise(out.last_updated, sums.last_synced);
    out.platform_breakdown.push_back(std::move(sums));
  }
  out.average_engagement_rate = segment.social_media_usage.empty() ? std::optional(0.0) : mean.value();
  out.top_performing_platform = best_of(out.platform_breakdown);
  return out;
}

}  // namespace segments
