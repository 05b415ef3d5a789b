#include "tasks/sync_social_media_metrics.h"

#include <optional>

#include "describe/decode.h"
#include "services/sync_post.h"

namespace segments {
namespace {

bool passes(ErrorKind kind) {
  return kind == ErrorKind::rate_limited || kind == ErrorKind::unavailable || kind == ErrorKind::internal;
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
    // What fails is this post's alone: the others are read all the same, and the result tells of it.
    auto error = sync_post(services, task.segment_id, usage);
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
