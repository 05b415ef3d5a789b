#include "dynamodb/video_item.h"

#include <algorithm>

#include "base/text.h"
#include "dynamodb/segment_item.h"

namespace segments::dynamodb {
namespace {

// The earlier service left some videos with no status, or with words of its own ("UNKNOWN", "uploaded"): they
// are done if there is anything to show.
VideoStatus status_of(const Item& item, const Video& video) {
  const auto word = lower_ascii(text_of(item, "status"));
  for (auto status : {VideoStatus::QUEUED, VideoStatus::PROCESSING, VideoStatus::COMPLETED,
                      VideoStatus::FAILED, VideoStatus::CANCELLED})
    if (lower_ascii(name_of(status)) == word) return status;
  return video.output_s3_urls.empty() ? VideoStatus::FAILED : VideoStatus::COMPLETED;
}

void fill_in(const Item& item, Video& video) {
  for (auto& key : video.output_s3_urls) key = object_key_of(key);
  video.bucket_location = object_key_of(video.bucket_location);
  video.upload_date = canonical_time(video.upload_date);
  video.updated_at = video.updated_at.empty() ? video.upload_date : canonical_time(video.updated_at);
  if (video.title.empty()) video.title = video.filename;
  video.status = status_of(item, video);
  const bool is_done = video.status == VideoStatus::COMPLETED;
  if (!find(item, "progress") && is_done) video.progress = 100;
  if (!find(item, "stage") && is_final(video.status)) video.stage = is_done ? "completed" : "failed";
}

}  // namespace

std::optional<StoredVideo> read_video(const Item& item) {
  if (!find(item, "upload_date")) return std::nullopt;
  StoredVideo stored;
  read_item(stored.video, item);
  fill_in(item, stored.video);
  stored.task_arguments = text_of(item, "task_arguments");
  stored.revision = integer_of(item, "revision");
  if (const auto* ids = find(item, "write_ids")) read_attribute(stored.write_ids, *ids);
  return stored;
}

Item make_item(const StoredVideo& stored) {
  Item item = item_of(stored.video);
  item["segment_id"] = text("#VIDEO");
  item["owner"] = text(stored.video.user_id);
  item["claimed"] = {true};
  item["revision"] = number(stored.revision);
  item["write_ids"] = *attribute_of(stored.write_ids);
  if (!stored.task_arguments.empty()) item["task_arguments"] = text(stored.task_arguments);
  return item;
}

std::string object_key_of(std::string_view address) {
  const auto scheme = address.find("://");
  if (scheme == std::string_view::npos) return std::string(address);
  auto path = address.substr(scheme + 3);
  const auto host = path.substr(0, path.find('/'));
  path.remove_prefix(std::min(host.size() + 1, path.size()));
  if (address.starts_with("s3://")) return std::string(path);
  // By path the bucket comes first.
  if (host.starts_with("s3.") || host.starts_with("s3-"))
    path.remove_prefix(std::min(path.find('/'), path.size() - 1) + 1);
  path = path.substr(0, path.find('?'));
  auto decoded = percent_decode(path);
  return decoded ? std::move(*decoded) : std::string(path);
}

}  // namespace segments::dynamodb
