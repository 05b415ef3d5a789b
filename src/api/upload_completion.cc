// From an upload to a video that is being cut, and what a cut would give.
#include <algorithm>

#include "api/present.h"
#include "api/upload_key.h"
#include "api/uploads.h"
#include "base/log.h"
#include "base/text.h"
#include "queue/task_names.h"

namespace segments {

namespace {

// The page sends "" for a box that was cleared, on each keystroke: it stands for the default.
void drop_cleared_options(boost::json::value& body) {
  auto* object = body.if_object();
  auto* options = object ? object->if_contains("cutting_options") : nullptr;
  if (!options) return;
  auto is_cleared = [](const boost::json::value& value) {
    return value.is_string() && value.get_string().empty();
  };
  if (is_cleared(*options)) {
    *options = nullptr;
  } else if (auto* members = options->if_object()) {
    for (auto member = members->begin(); member != members->end();) {
      if (is_cleared(member->value()) || member->value().is_null())
        member = members->erase(member);
      else
        ++member;
    }
  }
}

// Faults of form and of sense are named together.
template <class T>
T read_cutting_body(const Request& request) {
  check_is_json(request);
  auto json = parse_json(request.body);
  drop_cleared_options(json);
  T body;
  Faults faults;
  decode_into(body, json, Rule{}, "", faults);
  bool is_read =
      std::ranges::none_of(faults, [](const Fault& f) { return f.pointer.starts_with("/cutting_options"); });
  if (body.cutting_options && is_read) {
    try {
      check_cutting(*body.cutting_options);
    } catch (const Error& error) {
      faults.insert(faults.end(), error.faults().begin(), error.faults().end());
    }
  }
  if (!faults.empty()) throw invalid_input(std::move(faults));
  return body;
}

// What tasks.process_video_task takes.
struct ProcessVideoArguments {
  std::string s3_input_key;
  std::string job_id;
  CuttingOptions cutting_options;
  std::optional<TextStrategy> text_strategy;
  std::optional<TextInput> text_input;
  std::string user_id;
};
BOOST_DESCRIBE_STRUCT(ProcessVideoArguments, (),
                      (s3_input_key, job_id, cutting_options, text_strategy, text_input, user_id))

Response tell(const Video& video) {
  return answer(CompletedUpload{.job_id = video.video_id,
                                .video_id = video.video_id,
                                .status = video.status,
                                .message = video.status == VideoStatus::COMPLETED
                                               ? "The video is processed"
                                               : "Upload completed; the video is processed as a job",
                                .s3_key = video.bucket_location});
}

// The bytes, as they were announced.
ObjectInfo require_upload(const CompleteUpload& body, Services& services) {
  auto object = services.objects.find_object(body.s3_key);
  if (!object && body.upload_id)
    object = join_upload(services, body.s3_key, *body.upload_id,
                         body.parts.value_or(std::vector<UploadedPart>{}), body.file_size);
  if (!object)
    throw Error(ErrorKind::conflict,
                "The upload's bytes are not there yet: put them to its presigned_url first.");
  // S3 takes whatever is put where no size was announced.
  check_upload_size(object->size, services.settings);
  std::int64_t announced = body.file_size.value_or(0);
  if (announced > 0 && announced != object->size)
    throw Error(ErrorKind::conflict, "The upload has " + std::to_string(object->size) + " bytes, not the " +
                                         std::to_string(announced) + " that were announced.");
  return *object;
}

// A file's name may be longer than a title, which the tasks that take it over would refuse.
std::string title_from(std::string_view filename) {
  std::string_view stem = filename.substr(0, filename.rfind('.'));
  if (stem.empty()) stem = filename;
  return std::string(trim(first_code_points(stem, title_rule.max_length)));
}

Video make_video(const CompleteUpload& body, const ObjectInfo& object, const std::string& user) {
  Video video;
  video.video_id = body.job_id;
  video.user_id = user;
  video.filename = shown_filename(body.filename.value_or(""));
  if (video.filename.empty()) video.filename = body.s3_key.substr(body.s3_key.rfind('/') + 1);
  video.title = trim(body.title.value_or(""));
  if (video.title.empty()) video.title = title_from(video.filename);
  video.file_size = object.size;
  video.content_type = object.content_type;
  video.upload_date = video.updated_at = now_text();
  video.bucket_location = body.s3_key;
  video.tags = body.tags.value_or(std::vector<std::string>{});
  video.task_id = process_task_id(video.video_id);
  return video;
}

std::string arguments_of(const CompleteUpload& body, const Video& video) {
  return encode(ProcessVideoArguments{.s3_input_key = video.bucket_location,
                                      .job_id = video.video_id,
                                      .cutting_options = body.cutting_options.value_or(CuttingOptions{}),
                                      .text_strategy = body.text_strategy,
                                      .text_input = body.text_input,
                                      .user_id = video.user_id});
}

// Its id is known beforehand: however often it is queued, it runs once.
void queue_processing(const CompleteUpload& body, const Video& video, const Services& services) {
  services.queue.enqueue(make_process_task(video.video_id, arguments_of(body, video), video.user_id));
}

// Completed before: the same answer. A task that was not queued then, because the program died in between, is
// now.
Response complete_again(const CompleteUpload& body, const Video& video, const Request& request,
                        Services& services) {
  if (!may_see(request, video.user_id)) throw not_found("upload", body.s3_key);
  if (video.bucket_location != body.s3_key)
    throw Error(ErrorKind::conflict, "This job was completed with another upload.");
  if (video.status == VideoStatus::FAILED || video.status == VideoStatus::CANCELLED)
    throw Error(ErrorKind::conflict,
                "This job is " + std::string(name_of(video.status)) + "; upload the video again to cut it.");
  if (!is_final(video.status)) queue_processing(body, video, services);
  return tell(video);
}

}  // namespace

Response complete_upload(const Request& request, Services& services) {
  auto body = read_cutting_body<CompleteUpload>(request);
  if (body.mode) {
    if (!body.cutting_options) body.cutting_options.emplace();
    body.cutting_options->mode = *body.mode;
  }
  std::string user = user_for(request, body.user_id);
  if (require_own_key(request, services, body.s3_key) != body.job_id)
    throw invalid_input({{"/s3_key", "format", "The key belongs to another job."}});
  if (auto video = services.videos.find_video(body.job_id))
    return complete_again(body, *video, request, services);

  auto object = require_upload(body, services);
  // The page names its user only now; the bytes were claimed by "anonymous" until then.
  if (request.trusted) services.videos.claim_video(body.job_id, user, true);
  Video video = make_video(body, object, user);
  // With what its task needs: should this program die before the next step, the task is queued all the same.
  if (!services.videos.create_video(video, arguments_of(body, video))) {
    auto other = services.videos.find_video(body.job_id);
    if (!other) throw Error(ErrorKind::conflict, "The video was removed or taken over meanwhile.");
    return complete_again(body, *other, request, services);
  }
  queue_processing(body, video, services);
  log_info("upload.completed", {{"video_id", video.video_id}, {"user", user}, {"size", video.file_size}});
  return tell(video);
}

Response analyze_duration(const Request& request, Services& services) {
  auto body = read_cutting_body<AnalyzeDuration>(request);
  user_for(request, body.user_id);
  std::string video_id = require_own_key(request, services, body.s3_key);
  auto info = services.probe(services.objects.readable_location(body.s3_key));
  if (!info.has_video) throw Error(ErrorKind::invalid, "The upload holds no video.");
  DurationAnalysis analysis;
  analysis.total_duration = info.duration;
  for (const auto& cut : plan_cuts(body.cutting_options.value_or(CuttingOptions{}), info.duration, video_id))
    analysis.segment_durations.push_back(cut.end - cut.start);
  analysis.num_segments = static_cast<std::int64_t>(analysis.segment_durations.size());
  return answer(analysis);
}

}  // namespace segments
