#include "tasks/batch_sync_social_media.h"

#include <algorithm>
#include <set>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "describe/decode.h"
#include "tasks/sync_social_media_metrics.h"
#include "tasks/task_progress.h"

namespace segments {
namespace {

// The same for every run of the batch, so that a run that was cut off and starts again queues nothing twice.
std::string id_of(const std::string& batch_id, const SyncMetrics& sync) {
  std::string of = batch_id + "\n" + sync.segment_id + "\n" + name_of(sync.platform);
  return "sync-" + encode_hex(sha256(of)).substr(0, 32);
}

std::set<SocialMediaPlatform> platforms_of(const Segment& segment,
                                           const std::vector<SocialMediaPlatform>& wanted) {
  std::set<SocialMediaPlatform> found;
  for (const auto& usage : segment.social_media_usage)
    if (usage.post_id && may_be_post_id(*usage.post_id) &&
        (wanted.empty() || std::find(wanted.begin(), wanted.end(), usage.platform) != wanted.end()))
      found.insert(usage.platform);
  return found;
}

}  // namespace

std::string batch_sync_social_media(std::string_view arguments, Services& services,
                                    const TaskContext& context) {
  constexpr std::size_t page = 200;
  auto batch = decode<BatchSync>(arguments);
  auto wanted = batch.platforms.value_or(std::vector<SocialMediaPlatform>{});
  BatchSyncResult result;
  TaskProgress progress(services.queue, context.task_id);
  std::string after;
  while (true) {
    auto found = services.segments.list_segments_with_posts(batch.user_id, wanted, after, page);
    std::vector<NewTask> syncs;
    for (const auto& segment : found) {
      ++result.segments;
      for (auto platform : platforms_of(segment, wanted)) {
        SyncMetrics sync{segment.segment_id, platform};
        auto& task = syncs.emplace_back(make_task(sync_metrics_task, encode(sync), batch.user_id));
        task.id = id_of(context.task_id, sync);
        task.parent_id = context.task_id;
      }
    }
    services.queue.enqueue_all(syncs);
    result.tasks += std::ssize(syncs);
    if (found.size() < page) break;
    after = found.back().segment_id;
    // How many there are in all is not known before the last page: the bar nears its end without reaching it.
    double share = 1 - 1 / (1 + static_cast<double>(result.segments) / 1'000);
    progress.show(99 * share, "Queued the syncs of " + std::to_string(result.segments) + " segments");
  }
  log_info("social.batch_sync",
           {{"user", batch.user_id}, {"segments", result.segments}, {"tasks", result.tasks}});
  return encode(result);
}

}  // namespace segments
