#include "tasks/process_video.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "describe/decode.h"
#include "media/cut.h"
#include "tasks/create_segments_from_video.h"
#include "tasks/job_end.h"
#include "tasks/outputs.h"
#include "tasks/task_progress.h"

namespace segments {
namespace {

namespace fs = std::filesystem;

// Where a stored piece truly begins and ends, in seconds of the source.
struct PieceTimes {
  std::string key;
  double start = 0, end = 0;
};
BOOST_DESCRIBE_STRUCT(PieceTimes, (), (key, start, end))

struct ProcessVideoResult {
  std::string status;
  std::string job_id;
  std::int64_t segments = 0;
  std::vector<std::string> output_urls;
  // Known to the run that cut them alone: absent where one only finds that the job is over.
  std::optional<std::vector<PieceTimes>> pieces;
};
BOOST_DESCRIBE_STRUCT(ProcessVideoResult, (), (status, job_id, segments, output_urls, pieces))

// Thrown where the store refuses progress: the job is final or gone, and this run must leave nothing behind.
struct JobStopped {};

constexpr std::size_t removed_at_once = 100;  // by giving up

// The job's phases and their shares of its percentage.
constexpr double extracting_percent = 5, segmenting_percent = 10, cut_percent = 75, uploaded_percent = 98;

class Reporter {
 public:
  Reporter(Services& services, const TaskContext& context, const Video& video)
      : services_(services),
        task_progress_(services.queue, context.task_id),
        video_(video),
        restart_(video.status == VideoStatus::FAILED) {}

  void report(const char* stage, double percent, const std::string& message) {
    put(JobProgress{.job_id = video_.video_id,
                    .stage = stage,
                    .message = message,
                    .current_segment = {},
                    .total_segments = {},
                    .progress_percentage = percent,
                    .timestamp = now_text(),
                    .output_urls = {},
                    .error_message = {}});
  }
  // One of several equal steps from `from` to `to` percent is done. Thousands of pieces do not make thousands
  // of events.
  void step(const char* stage, double from, double to, std::size_t done, std::size_t total,
            const std::string& what) {
    std::size_t stride = std::max<std::size_t>(1, total / 200);
    if (done % stride != 0 && done != total) return;
    double share = static_cast<double>(done) / static_cast<double>(total);
    put(JobProgress{.job_id = video_.video_id,
                    .stage = stage,
                    .message = what + " " + std::to_string(done) + " of " + std::to_string(total),
                    .current_segment = static_cast<std::int64_t>(done),
                    .total_segments = static_cast<std::int64_t>(total),
                    .progress_percentage = from + (to - from) * share,
                    .timestamp = now_text(),
                    .output_urls = {},
                    .error_message = {}});
  }
  void complete(const std::vector<std::string>& keys, const std::string& shortfall) {
    put(completed_progress(video_.video_id, keys, shortfall));
  }

 private:
  void put(const JobProgress& progress) {
    if (!services_.videos.put_progress(progress, std::exchange(restart_, false))) throw JobStopped{};
    task_progress_.show(progress.progress_percentage, progress.message);
  }

  Services& services_;
  TaskProgress task_progress_;
  const Video& video_;
  bool restart_;
};

bool is_url(std::string_view location) {
  return location.starts_with("http://") || location.starts_with("https://");
}

// The encoder reads files alone, so that nothing that a video names can make it open an address.
std::string make_local(Services& services, const std::string& key, std::int64_t size,
                       const std::string& work_dir) {
  std::string location = services.objects.readable_location(key);
  if (!is_url(location)) return location;
  constexpr std::int64_t piece = 8 << 20;
  std::string path = work_dir + "/source";
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  for (std::int64_t offset = 0; offset < size; offset += piece)
    file << services.objects.read_object(key, offset, std::min(piece, size - offset));
  file.close();
  if (!file) throw Error(ErrorKind::unavailable, "There is no room for the video in the working folder.");
  return path;
}

MediaInfo probe_source(Services& services, const std::string& path) {
  MediaInfo media = services.probe(path);
  if (!media.has_video)
    throw Error(ErrorKind::invalid, "The file has no moving picture, so it cannot be cut.");
  if (!(media.duration > 0))
    throw Error(ErrorKind::invalid, "The video says nothing of its length, so it cannot be cut.");
  return media;
}

struct CutSource {
  Cutting cutting;
  std::string shortfall;  // "" for none worth a word
};

std::string short_seconds(double seconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%.1f", seconds);
  std::string_view shown = text;
  if (shown.ends_with(".0")) shown.remove_suffix(2);
  return std::string(shown);
}

// A piece that begins or ends earlier because there is a keyframe lacks nothing by that, so what is missing
// is counted behind the picture's end and within the pieces, not between cuts and pieces.
std::string describe_shortfall(const std::vector<Cut>& cuts, const Cutting& cutting, const MediaInfo& media) {
  double planned = 0, behind = 0;
  for (const Cut& cut : cuts) {
    planned += cut.end - cut.start;
    behind += std::max(0.0, cut.end - std::max(cut.start, cutting.picture_end));
  }
  double bearable = std::max(1.0, planned / 20);
  if (behind > bearable)
    return "the picture ends early: " + short_seconds(cutting.picture_end) + " of the file's " +
           short_seconds(media.duration) + " seconds could be read";
  if (behind + cutting.lost > bearable)
    return short_seconds(behind + cutting.lost) + " of the " + short_seconds(planned) +
           " seconds to be cut could not be read";
  return "";
}

CutSource cut(const ProcessVideo& task, const std::string& source, const MediaInfo& media, Services& services,
              const TaskContext& context, Reporter& reporter) {
  CuttingOptions options = task.cutting_options.value_or(CuttingOptions{});
  check_cutting(options);
  CutRequest request;
  request.source = source;
  request.output_dir = context.work_dir + "/pieces";
  // Drawn from the job's id, so that another run cuts at the same places.
  request.cuts = plan_cuts(options, media.duration, task.job_id);
  request.mode = options.mode;
  TextInput text = task.text_input.value_or(TextInput{});
  request.texts =
      plan_texts(task.text_strategy ? task.text_strategy : text.strategy, text, request.cuts.size());
  request.limits = {services.settings.media_memory_mb, services.settings.media_seconds,
                    services.settings.media_threads};
  fs::create_directories(request.output_dir);
  std::size_t total = request.cuts.size();
  reporter.report("segmenting", segmenting_percent,
                  total == 1 ? "Cutting one segment" : "Cutting " + std::to_string(total) + " segments");
  CutSource done;
  done.cutting = cut_media(request, media, [&](std::size_t index, const Piece&) {
    reporter.step("processing_segment", segmenting_percent, cut_percent, index + 1, total, "Cut segment");
  });
  done.shortfall = describe_shortfall(request.cuts, done.cutting, media);
  return done;
}

// The keys of the pieces. Whatever an earlier run left besides is removed.
std::vector<std::string> upload(const Video& video, const std::vector<Piece>& pieces,
                                const std::string& source, Services& services, const TaskContext& context,
                                Reporter& reporter) {
  MediaLimits limits{services.settings.media_memory_mb, services.settings.media_seconds,
                     services.settings.media_threads};
  std::vector<std::string> keys;
  std::set<std::string> keep;
  reporter.report("uploading", cut_percent, "Storing the segments");
  for (const Piece& piece : pieces) {
    auto number = static_cast<std::int64_t>(keys.size() + 1);
    std::string picture = context.work_dir + "/thumbnail.jpg";
    // Before the piece is put, which may move the file away.
    if (make_thumbnail(piece.path, picture, piece.duration / 3, limits))
      keep.insert(
          services.objects.put_file(thumbnail_key(video.video_id, number), picture, "image/jpeg").key);
    keys.push_back(piece_key(video.video_id, number, piece.extension));
    services.objects.put_file(keys.back(), piece.path, piece.content_type);
    keep.insert(keys.back());
    reporter.step("uploading", cut_percent, uploaded_percent, keys.size(), pieces.size(), "Stored segment");
  }
  const auto& extra = services.settings.extra_types;
  std::string audio = context.work_dir + "/audio.m4a";
  if (std::find(extra.begin(), extra.end(), "audio") != extra.end() && extract_audio(source, audio, limits))
    keep.insert(services.objects.put_file(audio_key(video.video_id), audio, "audio/mp4").key);
  remove_outputs(services.objects, video.video_id, keep);
  return keys;
}

std::string result_of(const char* status, const Video& video,
                      std::optional<std::vector<PieceTimes>> pieces = {}) {
  return encode(ProcessVideoResult{status, video.video_id,
                                   static_cast<std::int64_t>(video.output_s3_urls.size()),
                                   video.output_s3_urls, std::move(pieces)});
}

void queue_creation(const Video& video, Services& services) {
  CreateSegments payload;
  payload.video_id = video.video_id;
  payload.user_id = video.user_id;
  payload.output_s3_keys = video.output_s3_urls;
  payload.video_metadata = VideoMetadata{video.title, video.tags, video.filename, std::vector<SegmentType>{}};
  for (const auto& name : services.settings.extra_types)
    if (auto type = enum_from<SegmentType>(name)) payload.video_metadata->extra_types->push_back(*type);
  NewTask task = make_task(create_segments_task, encode(payload), video.user_id);
  // Known ids are not queued again: a run that was cut off after this line queues nothing twice.
  task.id = create_segments_task_id(video.video_id);
  services.queue.enqueue(task);
}

std::vector<PieceTimes> run_phases(const ProcessVideo& task, const Video& video, Services& services,
                                   const TaskContext& context) {
  Reporter reporter(services, context, video);
  reporter.report("extracting", extracting_percent, "Reading the video");
  auto object = services.objects.find_object(task.s3_input_key);
  if (!object) throw Error(ErrorKind::not_found, "The uploaded video is not there any more.");
  std::string source = make_local(services, task.s3_input_key, object->size, context.work_dir);
  MediaInfo media = probe_source(services, source);
  auto [cutting, shortfall] = cut(task, source, media, services, context, reporter);
  auto keys = upload(video, cutting.pieces, source, services, context, reporter);
  services.videos.update_video(video.video_id, std::round(media.duration), keys, std::nullopt);
  reporter.complete(keys, shortfall);
  log_info("video.processed", {{"video_id", video.video_id},
                               {"segments", keys.size()},
                               {"seconds", media.duration},
                               {"picture_end", cutting.picture_end},
                               {"shortfall", shortfall}});
  std::vector<PieceTimes> times;
  for (std::size_t i = 0; i < keys.size(); ++i)
    times.push_back({keys[i], cutting.pieces[i].start, cutting.pieces[i].end});
  return times;
}

// Of a job that ended without pieces: a stop may have come between their record and the job's end.
void clear_output_keys(const Video& video, Services& services) {
  if (!video.output_s3_urls.empty())
    services.videos.update_video(video.video_id, std::nullopt, std::vector<std::string>{}, std::nullopt);
}

// All pieces are stored: whatever comes later, they stay, and nothing but their records is left to do.
bool has_pieces(const Video& video) {
  return video.status == VideoStatus::COMPLETED || lacks_records(video);
}

// What is to be done for a job that is final, or gone (std::nullopt).
std::string conclude(const std::optional<Video>& video, const std::string& video_id, Services& services,
                     std::optional<std::vector<PieceTimes>> pieces) {
  if (video && has_pieces(*video)) {
    queue_creation(*video, services);
    return result_of("completed", *video, std::move(pieces));
  }
  if (video) clear_output_keys(*video, services);
  remove_outputs(services.objects, video_id);
  Video gone;
  gone.video_id = video_id;
  return result_of(video ? "cancelled" : "removed", gone);
}

}  // namespace

std::string process_video(std::string_view arguments, Services& services, const TaskContext& context) {
  auto task = decode<ProcessVideo>(arguments);
  auto video = services.videos.find_video(task.job_id);
  if (!video) throw not_found("video", task.job_id);
  std::optional<std::vector<PieceTimes>> pieces;
  if (!has_pieces(*video) && video->status != VideoStatus::CANCELLED) {
    fs::create_directories(context.work_dir);
    try {
      pieces = run_phases(task, *video, services, context);
    } catch (const JobStopped&) {
      log_info("video.stopped", {{"video_id", task.job_id}});
    }
    video = services.videos.find_video(task.job_id);
  }
  return conclude(video, task.job_id, services, std::move(pieces));
}

void give_up_video(std::string_view arguments, Services& services, const std::string& error, bool revoked) {
  auto task = decode<ProcessVideo>(arguments);
  auto video = services.videos.find_video(task.job_id);
  if (video && !is_final(video->status)) {
    JobProgress end;
    end.job_id = task.job_id;
    end.stage = revoked ? "cancelled" : "failed";
    end.message = revoked ? "The job was cancelled" : error;
    if (!revoked) end.error_message = error;
    end.progress_percentage = video->progress;
    end.timestamp = now_text();
    services.videos.put_progress(end);
    video = services.videos.find_video(task.job_id);
  }
  if (video && has_pieces(*video)) return queue_creation(*video, services);
  if (video) clear_output_keys(*video, services);
  // The worker does nothing else meanwhile. It comes again, later, for what is left.
  if (!remove_outputs(services.objects, task.job_id, {}, removed_at_once))
    throw Error(ErrorKind::unavailable, "Some of the video's segments are still to be removed.");
}

}  // namespace segments
