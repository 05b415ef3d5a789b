// Uploads: where a video's bytes go, and what is made of them. The bodies take every member that the client
// in use is known to send; what it sends and nobody needs is ignored.
#pragma once

#include <array>
#include <boost/describe.hpp>
#include <optional>
#include <string>
#include <vector>

#include "api/handlers.h"
#include "http/request.h"
#include "http/response.h"
#include "model/cutting.h"
#include "model/segment.h"
#include "model/video.h"
#include "services/services.h"

namespace segments {

struct InitiateUpload {
  std::string filename;
  std::optional<std::string> content_type;  // may be ""
  std::optional<std::int64_t> file_size;    // bytes; 0 and absent: not known
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(InitiateUpload, (), (filename, content_type, file_size, user_id))

struct UploadTicket {
  std::string presigned_url;
  std::string s3_key;
  std::string job_id;
  std::string video_id;
  std::string expires_at;
};
BOOST_DESCRIBE_STRUCT(UploadTicket, (), (presigned_url, s3_key, job_id, video_id, expires_at))

struct MultipartTicket {
  std::string upload_id;
  std::string s3_key;
  std::string job_id;
  std::string video_id;
  std::int64_t chunk_size = 0;  // bytes of each part but the last
  std::int64_t max_concurrent_uploads = 0;
};
BOOST_DESCRIBE_STRUCT(MultipartTicket, (),
                      (upload_id, s3_key, job_id, video_id, chunk_size, max_concurrent_uploads))

struct PresignPart {
  std::string upload_id;
  std::string s3_key;
  std::int64_t part_number = 0;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(PresignPart, (), (upload_id, s3_key, part_number, user_id))

struct PartTicket {
  std::string presigned_url;
  std::int64_t part_number = 0;
  std::string expires_at;
};
BOOST_DESCRIBE_STRUCT(PartTicket, (), (presigned_url, part_number, expires_at))

struct UploadedPart {
  std::int64_t PartNumber = 0;
  std::string ETag;
};
BOOST_DESCRIBE_STRUCT(UploadedPart, (), (PartNumber, ETag))

struct FinalizeUpload {
  std::string upload_id;
  std::string s3_key;
  std::optional<std::string> job_id;
  std::vector<UploadedPart> parts;
  std::optional<std::int64_t> file_size;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(FinalizeUpload, (), (upload_id, s3_key, job_id, parts, file_size, user_id))

struct FinalizedUpload {
  std::string s3_key;
  std::string job_id;
  std::int64_t file_size = 0;
  std::string etag;
  std::string message;
};
BOOST_DESCRIBE_STRUCT(FinalizedUpload, (), (s3_key, job_id, file_size, etag, message))

struct AbortUpload {
  std::string upload_id;
  std::string s3_key;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(AbortUpload, (), (upload_id, s3_key, user_id))

struct AbortedUpload {
  bool aborted = false;  // false: there was no such upload any more
  std::string message;
};
BOOST_DESCRIBE_STRUCT(AbortedUpload, (), (aborted, message))

struct CompleteUpload {
  std::string job_id;
  std::string s3_key;
  std::optional<std::string> upload_id;
  std::optional<std::vector<UploadedPart>> parts;
  std::optional<CuttingOptions> cutting_options;  // "" within stands for the default, as from a cleared box
  std::optional<CuttingMode> mode;                // the same as cutting_options.mode, and before it
  std::optional<TextStrategy> text_strategy;
  std::optional<TextInput> text_input;
  std::optional<std::string> user_id;
  std::optional<std::string> filename;
  std::optional<std::int64_t> file_size;
  std::optional<std::string> title;
  std::optional<std::string> content_type;
  std::optional<std::vector<std::string>> tags;
};
BOOST_DESCRIBE_STRUCT(CompleteUpload, (),
                      (job_id, s3_key, upload_id, parts, cutting_options, mode, text_strategy, text_input,
                       user_id, filename, file_size, title, content_type, tags))

struct CompletedUpload {
  std::string job_id;
  std::string video_id;
  VideoStatus status = VideoStatus::QUEUED;
  std::string message;
  std::string s3_key;
};
BOOST_DESCRIBE_STRUCT(CompletedUpload, (), (job_id, video_id, status, message, s3_key))

struct AnalyzeDuration {
  std::string s3_key;
  std::optional<CuttingOptions> cutting_options;
  std::optional<std::string> user_id;
};
BOOST_DESCRIBE_STRUCT(AnalyzeDuration, (), (s3_key, cutting_options, user_id))

struct DurationAnalysis {
  std::int64_t num_segments = 0;
  double total_duration = 0;  // seconds
  std::vector<double> segment_durations;
};
BOOST_DESCRIBE_STRUCT(DurationAnalysis, (), (num_segments, total_duration, segment_durations))

// What all these members obey, whichever body they stand in.
constexpr Rule rule_of_upload_member(std::string_view member) {
  if (member == "filename")
    return {.max_length = 1'000, .one_line = false, .about = "As the user's disk names it"};
  if (member == "content_type") return {.max_length = 200};
  if (member == "file_size") return {.minimum = 0, .maximum = 9'007'199'254'740'991, .about = "Bytes"};
  if (member == "s3_key") return {.min_length = 1, .max_length = 900, .check = fault_of_object_key};
  if (member == "job_id") return {.min_length = 1, .max_length = 200, .check = fault_of_id};
  if (member == "part_number" || member == "PartNumber") return {.minimum = 1, .maximum = 10'000};
  if (member == "parts") return {.max_items = 10'000};
  if (member == "title") return title_rule;
  if (member == "tags") return tags_rule;
  if (member == "cutting_options" || member == "text_input") return {};
  return {.max_length = 200};
}
constexpr Rule rule_of(Describes<InitiateUpload>, std::string_view m) {
  return rule_of_upload_member(m);
}
constexpr Rule rule_of(Describes<PresignPart>, std::string_view m) {
  return rule_of_upload_member(m);
}
constexpr Rule rule_of(Describes<UploadedPart>, std::string_view m) {
  return rule_of_upload_member(m);
}
constexpr Rule rule_of(Describes<FinalizeUpload>, std::string_view m) {
  return rule_of_upload_member(m);
}
constexpr Rule rule_of(Describes<AbortUpload>, std::string_view m) {
  return rule_of_upload_member(m);
}
constexpr Rule rule_of(Describes<CompleteUpload>, std::string_view m) {
  return rule_of_upload_member(m);
}
constexpr Rule rule_of(Describes<AnalyzeDuration>, std::string_view m) {
  return rule_of_upload_member(m);
}

using MemberNames = std::array<std::string_view, 7>;
constexpr MemberNames upload_members_ignored = {"user_email", "title",    "filename",    "file_size",
                                                "job_id",     "video_id", "content_type"};
constexpr MemberNames ignored_members(Describes<InitiateUpload>) {
  return upload_members_ignored;
}
constexpr MemberNames ignored_members(Describes<PresignPart>) {
  return upload_members_ignored;
}
constexpr MemberNames ignored_members(Describes<FinalizeUpload>) {
  return upload_members_ignored;
}
constexpr MemberNames ignored_members(Describes<AbortUpload>) {
  return upload_members_ignored;
}
constexpr MemberNames ignored_members(Describes<CompleteUpload>) {
  return upload_members_ignored;
}
constexpr MemberNames ignored_members(Describes<AnalyzeDuration>) {
  return upload_members_ignored;
}

// Throws Error{too_large} above the bound of one upload.
void check_upload_size(std::int64_t size, const ServiceSettings&);
// Joins a multipart upload's parts (done before: the same again). Error{too_large} above the bound,
// Error{conflict} for another size than announced: the parts stay as they are.
ObjectInfo join_upload(Services&, const std::string& key, const std::string& upload_id,
                       const std::vector<UploadedPart>&, std::optional<std::int64_t> announced);

Response initiate_upload(const Request&, Services&);            // POST /api/upload/initiate
Response initiate_multipart_upload(const Request&, Services&);  // POST /api/upload/initiate-multipart
Response presign_upload_part(const Request&, Services&);        // POST /api/upload/part
Response finalize_multipart_upload(const Request&, Services&);  // POST /api/upload/finalize-multipart
Response abort_multipart_upload(const Request&, Services&);     // POST /api/upload/abort-multipart
Response complete_upload(const Request&, Services&);   // POST /api/upload/complete, complete-multipart
Response analyze_duration(const Request&, Services&);  // POST /api/video/analyze-duration

}  // namespace segments
