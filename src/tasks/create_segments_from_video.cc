#include "tasks/create_segments_from_video.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/log.h"
#include "base/text.h"
#include "describe/decode.h"
#include "media/cut.h"
#include "queue/task_names.h"
#include "services/count.h"
#include "tasks/job_end.h"
#include "tasks/outputs.h"
#include "tasks/task_progress.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

std::string three_digits(std::int64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%03lld", static_cast<long long>(number));
  return digits;
}

// "movie.mov" gives "movie_part_002.mp4" for the second of several pieces, so that downloads do not share a
// name.
std::string filename_of(const std::string& of_video, const std::string& key, const std::string& suffix) {
  fs::path object(key);
  std::string stem = fs::path(of_video).stem().string();
  if (stem.empty()) return object.filename().string();
  return stem + suffix + object.extension().string();
}

std::string shortened(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  text.resize(most);
  // Not within a character of UTF-8.
  while (!text.empty() && !is_utf8(text)) text.pop_back();
  return text;
}

// Thrown where the store takes nothing of the video any more: this run must leave nothing behind.
struct VideoRemoved {};

Error foreign_video(const CreateSegments& task) {
  return Error(ErrorKind::forbidden, "The video " + task.video_id + " belongs to another user.");
}

class Creation {
 public:
  Creation(const CreateSegments& task, const VideoMetadata& metadata, Services& services,
           const TaskContext& context)
      : task_(task),
        metadata_(metadata),
        services_(services),
        context_(context),
        progress_(services.queue, context.task_id),
        created_at_(now_text()) {}

  void put_pieces() {
    bool is_one_of_several = task_.output_s3_keys.size() > 1;
    for (std::size_t i = 0; i < task_.output_s3_keys.size(); ++i) {
      auto number = static_cast<std::int64_t>(i + 1);
      std::string suffix = is_one_of_several ? "_part_" + three_digits(number) : "";
      const auto& key = task_.output_s3_keys[i];
      auto segment = describe_media(key, SegmentType::processed, number, suffix);
      if (segment) {
        segment->segment_id = make_numbered_segment_id(task_.video_id, number);
        if (is_one_of_several) add_part(*segment, number);
        segment->thumbnail_url = find_thumbnail(key, number, segment->duration);
        put(*segment);
      }
      double percent = 100.0 * static_cast<double>(number) / static_cast<double>(task_.output_s3_keys.size());
      progress_.show(percent, "Recorded segment " + std::to_string(number) + " of " +
                                  std::to_string(task_.output_s3_keys.size()));
    }
  }

  // Only what was asked for, and of that only what is there: a video without sound has no audio.
  void put_extras(const std::string& original_key) {
    if (wants(SegmentType::original) && !original_key.empty() && services_.objects.find_object(original_key))
      put_extra(original_key, SegmentType::original, 0, "original", "");
    if (wants(SegmentType::audio) && services_.objects.find_object(audio_key(task_.video_id)))
      put_extra(audio_key(task_.video_id), SegmentType::audio, 0, "audio", "");
    if (!wants(SegmentType::thumbnail)) return;
    for (std::size_t i = 1; i <= task_.output_s3_keys.size(); ++i) {
      auto number = static_cast<std::int64_t>(i);
      std::string key = thumbnail_key(task_.video_id, number);
      if (services_.objects.find_object(key))
        put_extra(key, SegmentType::thumbnail, number, "thumbnail-" + three_digits(number),
                  "_part_" + three_digits(number));
    }
  }

  const CreateSegmentsResult& result() const { return result_; }

 private:
  bool wants(SegmentType type) const {
    return metadata_.extra_types && std::find(metadata_.extra_types->begin(), metadata_.extra_types->end(),
                                              type) != metadata_.extra_types->end();
  }

  // What the object store and the file tell of an object; std::nullopt, noted as a failure, when it is not
  // there.
  std::optional<Segment> describe_media(const std::string& key, SegmentType type, std::int64_t number,
                                        const std::string& suffix) {
    auto object = services_.objects.find_object(key);
    if (!object) return note_failure(key, "There is no object " + key + ".");
    Segment segment;
    segment.video_id = task_.video_id;
    segment.user_id = task_.user_id;
    segment.segment_type = type;
    segment.segment_number = number;
    segment.s3_key = key;
    segment.file_size = object->size;
    segment.content_type = object->content_type;
    segment.created_at = segment.updated_at = created_at_;
    segment.title = metadata_.title;
    segment.tags = metadata_.tags.value_or(std::vector<std::string>{});
    segment.filename = filename_of(metadata_.filename.value_or(""), key, suffix);
    if (type == SegmentType::thumbnail) return segment;
    try {
      double seconds = services_.probe(services_.objects.readable_location(key)).duration;
      segment.duration = std::round(seconds * 1e6) / 1e6;
    } catch (const Error& error) {
      // A file that nobody can read is this key's failure; a store that does not answer is everybody's, and
      // passes.
      if (error.kind() != ErrorKind::invalid) throw;
      return note_failure(key, error.what());
    }
    return segment;
  }

  std::nullopt_t note_failure(const std::string& key, const std::string& sentence) {
    result_.failed.push_back({key, sentence});
    count(services_, "segments_recorded_total{outcome=\"failed\"}");
    log_warning("segment.not_created", {{"video_id", task_.video_id}, {"s3_key", key}, {"error", sentence}});
    return std::nullopt;
  }

  void add_part(Segment& segment, std::int64_t number) const {
    if (!segment.title || segment.title->empty()) return;
    std::string part = " - Part " + std::to_string(number);
    segment.title = shortened(*segment.title, title_rule.max_length - part.size()) + part;
  }

  // Pieces of other programs have none yet; theirs is made.
  std::optional<std::string> find_thumbnail(const std::string& key, std::int64_t number, double duration) {
    std::string picture_key = thumbnail_key(task_.video_id, number);
    if (services_.objects.find_object(picture_key)) return picture_key;
    std::string location = services_.objects.readable_location(key);
    if (location.starts_with("http")) return std::nullopt;
    fs::create_directories(context_.work_dir);
    std::string file = context_.work_dir + "/thumbnail.jpg";
    MediaLimits limits{services_.settings.media_memory_mb, services_.settings.media_seconds,
                       services_.settings.media_threads};
    if (!make_thumbnail(location, file, duration / 3, limits)) return std::nullopt;
    return services_.objects.put_file(picture_key, file, "image/jpeg").key;
  }

  void put_extra(const std::string& key, SegmentType type, std::int64_t number, const std::string& id_suffix,
                 const std::string& filename_suffix) {
    auto segment = describe_media(key, type, number, filename_suffix);
    if (!segment) return;
    segment->segment_id = make_segment_id(task_.video_id, id_suffix);
    if (type == SegmentType::thumbnail) {
      segment->thumbnail_url = key;
      add_part(*segment, number);
    }
    put(*segment);
  }

  void put(const Segment& segment) {
    auto outcome = services_.segments.put_segment_from_media(segment);
    if (outcome == MediaOutcome::removed) throw VideoRemoved{};
    if (outcome == MediaOutcome::foreign_video) throw foreign_video(task_);
    ++result_.segments_created;
    result_.segment_ids.push_back(segment.segment_id);
    if (outcome == MediaOutcome::unchanged) return;
    count(services_, "segments_recorded_total{outcome=\"ok\"}");
    log_info("segment.created", {{"segment_id", segment.segment_id},
                                 {"video_id", segment.video_id},
                                 {"user", segment.user_id},
                                 {"duration", segment.duration},
                                 {"file_size", segment.file_size}});
  }

  const CreateSegments& task_;
  const VideoMetadata& metadata_;
  Services& services_;
  const TaskContext& context_;
  TaskProgress progress_;
  std::string created_at_;
  CreateSegmentsResult result_;
};

// What the task was not told is taken from the video's own record.
VideoMetadata complete_metadata(const CreateSegments& task, const std::optional<Video>& video) {
  VideoMetadata metadata = task.video_metadata.value_or(VideoMetadata{});
  if (!video) return metadata;
  if (!metadata.title && !video->title.empty()) metadata.title = video->title;
  if (!metadata.tags) metadata.tags = video->tags;
  if (!metadata.filename && !video->filename.empty()) metadata.filename = video->filename;
  return metadata;
}

}  // namespace

std::string create_segments_from_video(std::string_view arguments, Services& services,
                                       const TaskContext& context) {
  auto task = decode<CreateSegments>(arguments);
  // The first segment that is put claims the id. Not before: a video that was deleted meanwhile stays
  // deleted.
  auto owner = services.videos.find_owner(task.video_id);
  if (owner && *owner != task.user_id) throw foreign_video(task);
  auto video = services.videos.find_video(task.video_id);
  VideoMetadata metadata = complete_metadata(task, video);
  Creation creation(task, metadata, services, context);
  try {
    creation.put_pieces();
    creation.put_extras(video ? video->bucket_location : "");
  } catch (const VideoRemoved&) {
    log_info("video.removed_meanwhile", {{"video_id", task.video_id}});
    remove_outputs(services.objects, task.video_id);
    return encode(CreateSegmentsResult{});
  }

  const auto& result = creation.result();
  if (result.failed.size() == 1) throw Error(ErrorKind::not_found, result.failed.front().error);
  if (!result.failed.empty())
    throw Error(ErrorKind::not_found,
                std::to_string(result.failed.size()) +
                    " of the objects could not be recorded; the first: " + result.failed.front().error);
  // Looked up anew: the job may have been marked while this run was at work.
  video = services.videos.find_video(task.video_id);
  if (video && video->output_s3_urls == task.output_s3_keys) mark_records_stored(*video, services);
  return encode(result);
}

void give_up_segments(std::string_view arguments, Services& services, const std::string&, bool revoked) {
  // Whoever revokes the task, as the removal of a video does, knows it.
  if (revoked) return;
  auto task = decode<CreateSegments>(arguments);
  auto video = services.videos.find_video(task.video_id);
  if (!video) return;
  // Not for tasks that others have queued about a video, nor for one that was queued again meanwhile.
  auto own = services.queue.find_task(create_segments_task_id(task.video_id));
  if (own && own->status == TaskStatus::FAILURE) mark_records_missing(*video, services);
}

}  // namespace segments
