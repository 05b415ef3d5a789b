#include "tasks/sync_social_media_metrics.h"

#include <optional>

#include "base/log.h"
#include "describe/decode.h"

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

bool passes(ErrorKind kind) {
  return kind == ErrorKind::rate_limited || kind == ErrorKind::unavailable || kind == ErrorKind::internal;
}

void note_attempt(Services& services, const SyncMetrics& task, const std::string& post_id,
                  const char* outcome, std::string_view error) {
  services.totals.add_total("social_sync_total{platform=\"" + std::string(name_of(task.platform)) +
                            "\",outcome=\"" + outcome + "\"}");
  write_log(error.empty() ? LogLevel::info : LogLevel::warning, "social.sync",
            {{"segment_id", task.segment_id},
             {"platform", name_of(task.platform)},
             {"post_id", post_id},
             {"outcome", outcome},
             {"error", error}});
}

// Reads one post and keeps the reading; the error when it cannot.
std::optional<Error> sync_post(Services& services, const SyncMetrics& task, const SocialMediaUsage& usage) {
  try {
    auto& platform = *services.platforms.at(task.platform);
    auto reading = platform.read_metrics({*usage.post_id, usage.post_url, usage.posted_at});
    bool is_kept = services.segments.add_reading(task.segment_id, task.platform, *usage.post_id, reading);
    note_attempt(services, task, *usage.post_id, is_kept ? "ok" : "unlinked", "");
    return is_kept ? std::nullopt
                   : std::optional(Error(ErrorKind::not_found, "The post was unlinked while it was read."));
  } catch (const Error& error) {
    // Only this post's: the others are read all the same, and what failed is told in the result.
    note_attempt(services, task, *usage.post_id, outcome_of(error.kind()), error.what());
    return error;
  }
}

}  // namespace

std::string sync_social_media_metrics(std::string_view arguments, Services& services,
                                      const TaskContext& context) {
  auto task = decode<SyncMetrics>(arguments);
  auto found = services.segments.find_segment(task.segment_id);
  if (!found) throw not_found("segment", task.segment_id);
  if (!services.platforms.contains(task.platform))
    throw Error(ErrorKind::invalid, std::string(name_of(task.platform)) + " is not set up here.");

  SyncMetricsResult result{task.segment_id, task.platform, 0, 0, {}};
  std::optional<Error> permanent, passing;
  for (const auto& usage : found->segment.social_media_usage) {
    if (usage.platform != task.platform || !usage.post_id || !may_be_post_id(*usage.post_id)) continue;
    ++result.posts;
    auto error = sync_post(services, task, usage);
    if (!error) {
      ++result.synced;
      continue;
    }
    result.failed.push_back(
        {*usage.post_id, error->kind() == ErrorKind::internal ? "The reading failed." : error->what()});
    if (!passes(error->kind()))
      permanent = error;
    else if (!passing || error->kind() == ErrorKind::rate_limited)
      passing = error;
    // Asking on would only prolong the limit.
    if (error->kind() == ErrorKind::rate_limited) break;
  }
  bool may_try_again = context.retries < context.max_retries;
  if (passing && (may_try_again || result.synced == 0)) throw *passing;
  if (permanent && result.synced == 0) throw *permanent;
  return encode(result);
}

}  // namespace segments
