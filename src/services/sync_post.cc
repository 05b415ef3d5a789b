#include "services/sync_post.h"

#include <exception>
#include <string>

#include "base/log.h"
#include "services/count.h"

namespace segments {
namespace {

const char* outcome_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::rate_limited:
      return "rate_limited";
    case ErrorKind::unavailable:
      return "unavailable";
    case ErrorKind::not_found:
      return "not_found";
    case ErrorKind::forbidden:
    case ErrorKind::unauthorized:
      return "forbidden";
    default:
      return "error";
  }
}

}  // namespace

void note_sync(Services& services, std::string_view segment_id, SocialMediaPlatform platform,
               std::string_view post_id, std::string_view outcome, std::string_view error) {
  count(services, "social_sync_total{platform=\"" + std::string(name_of(platform)) + "\",outcome=\"" +
                      std::string(outcome) + "\"}");
  write_log(error.empty() ? LogLevel::info : LogLevel::warning, "social.sync",
            {{"segment_id", segment_id},
             {"platform", name_of(platform)},
             {"post_id", post_id},
             {"outcome", outcome},
             {"error", error}});
}

std::optional<Error> sync_post(Services& services, std::string_view segment_id,
                               const SocialMediaUsage& usage) {
  try {
    auto platform = services.platforms.find(usage.platform);
    if (platform == services.platforms.end())
      throw Error(ErrorKind::invalid, std::string(name_of(usage.platform)) + " is not set up here.");
    auto reading = platform->second->read_metrics({*usage.post_id, usage.post_url, usage.posted_at});
    bool is_kept = services.segments.add_reading(segment_id, usage.platform, *usage.post_id, reading);
    note_sync(services, segment_id, usage.platform, *usage.post_id, is_kept ? "ok" : "unlinked");
    if (is_kept) return std::nullopt;
    return Error(ErrorKind::conflict, "The post was unlinked while it was read.");
  } catch (const Error& error) {
    note_sync(services, segment_id, usage.platform, *usage.post_id, outcome_of(error.kind()), error.what());
    return error;
  }
}

}  // namespace segments
