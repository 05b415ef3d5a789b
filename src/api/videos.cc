#include "api/videos.h"

#include <algorithm>

#include "api/jobs.h"
#include "api/present.h"
#include "api/upload_key.h"
#include "base/log.h"
#include "base/text.h"
#include "model/segment.h"
#include "objects/video_folder.h"
#include "queue/task_names.h"

namespace segments {

namespace {

constexpr int reading_url_seconds = 3600;

// The key at the end of what the page knows: a key, "/key", "s3://bucket/key", "https://host/key" or one of
// our own addresses, "…/media/key?expires=…".
std::string key_in_location(std::string_view location) {
  bool is_address = false;
  if (std::size_t scheme = location.find("://"); scheme != location.npos) {
    is_address = location.substr(0, scheme) != "s3";
    location.remove_prefix(scheme + 3);
    location.remove_prefix(std::min(location.find('/'), location.size()));
  }
  while (location.starts_with('/')) location.remove_prefix(1);
  if (location.starts_with("media/")) {
    is_address = true;
    location.remove_prefix(6);
  }
  if (!is_address) return std::string(location);
  auto key = percent_decode(location.substr(0, location.find_first_of("?#")));
  if (!key) throw invalid_input({{"/bucket_location", "format", "The address is not well percent-encoded."}});
  return *key;
}

std::int64_t remove_objects(Services& services, const std::string& video_id) {
  std::int64_t removed = 0;
  for (std::string_view folder : video_folders) {
    std::string prefix = video_prefix(folder, video_id);
    for (std::string after;;) {
      auto objects = services.objects.list_objects(prefix, after, 1'000);
      if (objects.empty()) break;
      for (const auto& object : objects) removed += services.objects.remove_object(object.key);
      after = objects.back().key;
    }
  }
  return removed;
}

std::int64_t remove_segments(Services& services, const std::string& video_id) {
  std::int64_t removed = 0;
  for (const auto& segment : services.segments.list_video_segments(video_id, "", std::nullopt))
    removed += services.segments.remove_segment(segment.segment_id, "", std::nullopt).has_value();
  return removed;
}

}  // namespace

Response list_videos(const Request& request, Services& services) {
  auto query = read_query<VideoListQuery>(request);
  // The page names no user here. In the trusted mode it sees all videos then.
  std::optional<std::string> user;
  if (!request.trusted || request.user_named) user = request.user;
  auto page = services.videos.list_videos(user, query.limit.value_or(1'000), query.offset.value_or(0));
  return answer(VideoList{.videos = std::move(page.videos), .total_count = page.total_count});
}

Response get_video(const Request& request, Services& services) {
  std::string id(path_id(request, "video_id", "video"));
  auto video = services.videos.find_video(id);
  if (!video || !may_see(request, video->user_id)) throw not_found("video", id);
  return answer(*video);
}

Response remove_video(const Request& request, Services& services) {
  std::string id(path_id(request, "video_id", "video"));
  // Uploads that were never completed and segments without a video's record have an owner too.
  auto owner = services.videos.find_owner(id);
  if (!owner || !may_see(request, *owner) || fault_of_id(id)) throw not_found("video", id);
  // What runs stops, and what waits never begins.
  if (auto video = services.videos.find_video(id)) stop_job(services, *video, "The video was removed");
  services.queue.revoke(create_segments_task_id(id));
  services.videos.begin_removal(id);  // from here on, what a run that is still at work finds is refused
  RemovedVideo removed{.message = "Video deleted successfully", .video_id = id};
  removed.segments_removed = remove_segments(services, id);
  removed.objects_removed = remove_objects(services, id);
  // The record is the last to go: whoever is interrupted before can ask again.
  bool had_record = services.videos.remove_video(id);
  if (!had_record && removed.segments_removed + removed.objects_removed == 0) throw not_found("video", id);
  log_info("video.removed", {{"video_id", id}, {"user", *owner}, {"segments", removed.segments_removed}});
  return answer(removed);
}

Response presign_video_url(const Request& request, Services& services) {
  auto body = read_body<PresignVideo>(request);
  user_for(request, body.user_id);
  std::string key = key_in_location(body.bucket_location);
  if (const char* fault = fault_of_object_key(key))
    throw invalid_input({{"/bucket_location", "format", fault}});
  std::string video_id = require_own_key(request, services, key);
  if (!services.objects.find_object(key)) throw not_found("object", key);
  auto readable = playable_url(request, services, key, reading_url_seconds,
                               inline_disposition(key.substr(key.rfind('/') + 1)));
  return answer(
      VideoUrl{.url = readable.url, .signedUrl = readable.url, .expires_at = format_time(readable.expires)});
}

}  // namespace segments
