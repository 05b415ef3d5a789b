#include "tasks/periodic.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/log.h"
#include "base/text.h"
#include "model/following.h"
#include "tasks/forgotten_videos.h"

namespace segments {
namespace {

// Linking a post asks for its first reading itself, which is usually there at once.
constexpr Millis usual_delay_ms = 5'000;
constexpr Millis events_kept_ms = 7LL * 24 * 3'600 * 1'000;
constexpr int last_priority = 9;
constexpr std::size_t page = 200;

// What one task reads: all posts of a segment on a platform.
struct DueSync {
  std::string user_id;
  Millis due_at;  // of its post that is due longest
  int asked;
};

std::vector<NewTask> make_tasks(const std::vector<DuePost>& posts, Millis now) {
  std::map<std::pair<std::string, SocialMediaPlatform>, DueSync> syncs;
  for (const auto& post : posts) {
    auto [found, is_new] =
        syncs.try_emplace({post.segment_id, post.platform}, post.user_id, post.due_at, post.asked);
    if (is_new) continue;
    found->second.due_at = std::min(found->second.due_at, post.due_at);
    found->second.asked = std::min(found->second.asked, post.asked);
  }
  std::vector<NewTask> tasks;
  for (const auto& [key, due] : syncs) {
    SyncMetrics sync{key.first, key.second};
    auto& task = tasks.emplace_back(make_task(sync_metrics_task, encode(sync), due.user_id));
    task.id = due_sync_id(sync, due.due_at);
    task.priority = last_priority;
    task.expires = next_attempt_at(due.asked + 1, now);
  }
  return tasks;
}

}  // namespace

std::string due_sync_id(const SyncMetrics& sync, Millis due_at) {
  std::string of = sync.segment_id + "\n" + name_of(sync.platform) + "\n" + std::to_string(due_at);
  return "due-" + encode_hex(sha256(of)).substr(0, 32);
}

std::int64_t queue_due_syncs(Services& services, Millis now, std::size_t most,
                             const std::function<bool()>& may_go_on) {
  std::int64_t queued = 0;
  for (std::size_t left = most; left > 0;) {
    if (!may_go_on()) break;
    auto posts = services.segments.list_due_posts(now - usual_delay_ms, std::min(left, page));
    if (posts.empty()) break;
    auto tasks = make_tasks(posts, now);
    // In this order: whoever dies in between leaves posts that are due and tasks whose ids are known.
    services.queue.enqueue_all(tasks);
    services.segments.put_off_posts(posts, now);
    queued += std::ssize(tasks);
    left -= posts.size();
  }
  if (queued > 0) log_info("social.syncs_queued", {{"tasks", queued}});
  return queued;
}

void sweep(Services& services, Millis now) {
  services.queue.sweep();
  queue_forgotten_videos(services, now);
  services.events.remove_events_before(now - events_kept_ms);
}

}  // namespace segments
