#include "api/uploads.h"

#include <algorithm>

#include "api/present.h"
#include "api/upload_key.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"

namespace segments {

namespace {

constexpr std::int64_t mebibyte = 1 << 20;
constexpr std::int64_t most_parts = 10'000;
constexpr std::int64_t concurrent_parts = 4;
constexpr int upload_url_seconds = 6 * 3600;  // a slow line's upload may wait for its turn

// What is known of a new upload before its first byte.
struct NewUpload {
  std::string video_id;
  std::string key;
  std::string content_type;  // "": not known
  std::int64_t size = 0;     // 0: not known
};

NewUpload begin(const Request& request, Services& services) {
  auto body = read_body<InitiateUpload>(request);
  NewUpload upload;
  upload.content_type = trim(body.content_type.value_or(""));
  if (!upload.content_type.empty())
    if (const char* fault = fault_of_content_type(upload.content_type))
      throw invalid_input({{"/content_type", "format", fault}});
  upload.size = body.file_size.value_or(0);
  check_upload_size(upload.size, services.settings);
  std::string user = user_for(request, body.user_id);
  upload.video_id = make_id();
  upload.key = make_upload_key(upload.video_id, body.filename);
  if (!services.videos.claim_video(upload.video_id, user))
    throw Error(ErrorKind::conflict, "The new video's id was taken in this moment; try again.");
  log_info("upload.begun", {{"video_id", upload.video_id}, {"user", user}, {"size", upload.size}});
  return upload;
}

std::vector<UploadPart> parts_of(const std::vector<UploadedPart>& given) {
  std::vector<UploadPart> parts;
  for (const auto& part : given) parts.push_back({static_cast<int>(part.PartNumber), part.ETag});
  return parts;
}

}  // namespace

Response initiate_upload(const Request& request, Services& services) {
  NewUpload upload = begin(request, services);
  PresignRequest presign{.method = PresignMethod::put, .key = upload.key, .expires_in_s = upload_url_seconds};
  if (!upload.content_type.empty()) presign.content_type = upload.content_type;
  if (upload.size > 0) presign.size = upload.size;
  auto presigned = services.objects.presign(presign);
  return answer(UploadTicket{.presigned_url = absolute_url(request, services, presigned.url),
                             .s3_key = upload.key,
                             .job_id = upload.video_id,
                             .video_id = upload.video_id,
                             .expires_at = format_time(presigned.expires)});
}

Response initiate_multipart_upload(const Request& request, Services& services) {
  NewUpload upload = begin(request, services);
  std::string type = upload.content_type.empty() ? guess_content_type(upload.key) : upload.content_type;
  // Whole mebibytes, so many that the parts suffice.
  std::int64_t needed = (upload.size + most_parts - 1) / most_parts;
  std::int64_t chunk = std::max(16 * mebibyte, (needed + mebibyte - 1) / mebibyte * mebibyte);
  return answer(MultipartTicket{.upload_id = services.objects.begin_upload(upload.key, type, upload.size),
                                .s3_key = upload.key,
                                .job_id = upload.video_id,
                                .video_id = upload.video_id,
                                .chunk_size = chunk,
                                .max_concurrent_uploads = concurrent_parts});
}

Response presign_upload_part(const Request& request, Services& services) {
  auto body = read_body<PresignPart>(request);
  user_for(request, body.user_id);
  require_own_key(request, services, body.s3_key);
  if (!services.objects.is_upload_open(body.s3_key, body.upload_id))
    throw Error(ErrorKind::not_found, "There is no such upload, or it was completed or aborted.");
  PresignRequest presign{
      .method = PresignMethod::put, .key = body.s3_key, .expires_in_s = upload_url_seconds};
  presign.upload_id = body.upload_id;
  presign.part_number = static_cast<int>(body.part_number);
  auto presigned = services.objects.presign(presign);
  return answer(PartTicket{.presigned_url = absolute_url(request, services, presigned.url),
                           .part_number = body.part_number,
                           .expires_at = format_time(presigned.expires)});
}

ObjectInfo join_upload(Services& services, const std::string& key, const std::string& upload_id,
                       const std::vector<UploadedPart>& parts, std::optional<std::int64_t> announced) {
  UploadBounds bounds;
  if (announced.value_or(0) > 0) bounds.exactly = announced;
  if (services.settings.max_upload_bytes > 0) bounds.most = services.settings.max_upload_bytes;
  return services.objects.complete_upload(key, upload_id, parts_of(parts), bounds);
}

void check_upload_size(std::int64_t size, const ServiceSettings& settings) {
  if (settings.max_upload_bytes > 0 && size > settings.max_upload_bytes)
    throw Error(ErrorKind::too_large,
                "An upload has at most " + std::to_string(settings.max_upload_bytes) + " bytes.");
}

Response finalize_multipart_upload(const Request& request, Services& services) {
  auto body = read_body<FinalizeUpload>(request);
  user_for(request, body.user_id);
  std::string video_id = require_own_key(request, services, body.s3_key);
  if (body.job_id && *body.job_id != video_id)
    throw invalid_input({{"/job_id", "format", "The key belongs to another job."}});
  auto object = join_upload(services, body.s3_key, body.upload_id, body.parts, body.file_size);
  // Joined before, with another size than is named now: what is there stays.
  if (body.file_size.value_or(0) > 0 && *body.file_size != object.size)
    throw Error(ErrorKind::conflict, "The parts have " + std::to_string(object.size) + " bytes, not the " +
                                         std::to_string(*body.file_size) + " that were announced.");
  log_info("upload.joined", {{"video_id", video_id}, {"size", object.size}, {"parts", body.parts.size()}});
  return answer(FinalizedUpload{.s3_key = body.s3_key,
                                .job_id = video_id,
                                .file_size = object.size,
                                .etag = object.etag,
                                .message = "Upload finalized"});
}

Response abort_multipart_upload(const Request& request, Services& services) {
  auto body = read_body<AbortUpload>(request);
  user_for(request, body.user_id);
  require_own_key(request, services, body.s3_key);
  bool aborted = services.objects.abort_upload(body.s3_key, body.upload_id);
  return answer(
      AbortedUpload{.aborted = aborted, .message = aborted ? "Upload aborted" : "There was no such upload"});
}

}  // namespace segments
