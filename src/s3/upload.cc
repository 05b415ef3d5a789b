// Multipart uploads: their ids, and the store's verbs about them.
#include "s3/upload.h"

#include <algorithm>

#include "base/error.h"
#include "base/ids.h"
#include "base/text.h"
#include "objects/key.h"
#include "objects/parts.h"
#include "s3/answers.h"
#include "s3/s3_object_store.h"

namespace segments::s3 {

namespace {

constexpr std::size_t mark_length = 32, longest_id = 2'000;
constexpr Millis joining_ms = 120'000;  // S3 takes minutes for the largest

bool is_mark(std::string_view text) {
  return text.size() == mark_length &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// S3 words it in several ways; whatever is wrong with an id that a client brings, there is no such upload.
bool is_unknown(const aws::Reply& reply) {
  if (reply.error_code == "NoSuchBucket") return false;
  return reply.status == 404 || reply.error_code == "NoSuchUpload" || reply.error_code == "InvalidArgument";
}

aws::Call about(const Bucket& bucket, std::string operation, std::string method, std::string_view key,
                const UploadId& upload, std::int64_t bytes = 0) {
  auto call = bucket.call(std::move(operation), std::move(method), key, bytes);
  call.query.emplace_back("uploadId", upload.id);
  return call;
}

// Of the listed parts, all that S3 takes as the last one alone.
std::vector<Fault> faults_of_small(const std::vector<UploadPart>& parts,
                                   const std::map<int, ListedPart>& stored) {
  std::vector<Fault> faults;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    auto at = stored.find(parts[i].part_number);
    if (at == stored.end() || at->second.size >= smallest_part) continue;
    faults.push_back({"/parts/" + std::to_string(i), "range",
                      "Part " + std::to_string(parts[i].part_number) + " has " +
                          std::to_string(at->second.size) + " bytes; each but the last has at least " +
                          std::to_string(smallest_part) + "."});
  }
  return faults;
}

}  // namespace

std::string text_of(const UploadId& upload) {
  return upload.mark + '.' + std::to_string(upload.size.value_or(0)) + '.' + upload.id;
}

UploadId parse_upload(std::string_view text) {
  auto dot = text.find('.', std::min(text.size(), mark_length + 1));
  bool is_whole = text.size() <= longest_id && dot != text.npos && is_mark(text.substr(0, mark_length)) &&
                  text[mark_length] == '.';
  auto size = is_whole ? parse_integer(text.substr(mark_length + 1, dot - mark_length - 1)) : std::nullopt;
  auto id = is_whole ? text.substr(dot + 1) : std::string_view();
  if (!size || *size < 0 || id.empty() || has_control(id) || !is_utf8(id))
    throw no_upload(clean_utf8(text, 100));
  UploadId out{.mark = std::string(text.substr(0, mark_length)), .size = std::nullopt, .id = std::string(id)};
  if (*size > 0) out.size = *size;
  return out;
}

std::string S3ObjectStore::begin_upload(std::string_view key, std::string_view content_type,
                                        std::int64_t size) {
  return begin(key, content_type, size, false);
}

std::string S3ObjectStore::begin_own_upload(std::string_view key, std::string_view content_type) {
  return begin(key, content_type, 0, true);
}

std::string S3ObjectStore::begin(std::string_view key, std::string_view content_type, std::int64_t size,
                                 bool is_own) {
  check_object_key(key);
  check_content_type(content_type);
  UploadId upload{.mark = make_secret(mark_length / 2), .size = std::nullopt, .id = {}};
  if (size > 0) upload.size = size;
  auto call = bucket_.call("CreateMultipartUpload", "POST", key);
  call.query.emplace_back("uploads", "");
  call.headers = bucket_.creation_headers(content_type);
  call.headers.emplace_back(mark_header, upload.mark);
  if (is_own) bucket_.announce_bodies(call);
  auto reply = bucket_.client().call(call);
  if (!reply.is_done()) throw bucket_.client().unexpected(call, reply);
  auto id = parse_begun_upload(reply.body);
  if (!id) throw Error(ErrorKind::unavailable, "S3 began an upload and did not say which.", {}, 1);
  upload.id = std::move(*id);
  return text_of(upload);
}

std::string S3ObjectStore::put_part(std::string_view key, std::string_view upload_id, int part_number,
                                    aws::Body body) {
  check_object_key(key);
  auto call =
      about(bucket_, "UploadPart", "PUT", key, parse_upload(upload_id), static_cast<std::int64_t>(body.size));
  call.query.emplace_back("partNumber", std::to_string(part_number));
  bucket_.set_body(call, std::move(body));
  auto reply = bucket_.client().call(call);
  if (reply.error_code == "NoSuchUpload") throw no_upload(upload_id);
  if (!reply.is_done()) throw bucket_.client().unexpected(call, reply);
  return quoted_etag(aws::find_header(reply.headers, "etag").value_or(""));
}

bool S3ObjectStore::is_upload_open(std::string_view key, std::string_view upload_id) {
  check_object_key(key);
  try {
    auto call = about(bucket_, "ListParts", "GET", key, parse_upload(upload_id));
    call.query.emplace_back("max-parts", "1");
    auto reply = bucket_.client().call(call);
    if (!reply.is_done() && !is_unknown(reply)) throw bucket_.client().unexpected(call, reply);
    return reply.is_done();
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::not_found) return false;
    throw;
  }
}

std::optional<std::map<int, ListedPart>> S3ObjectStore::find_parts(std::string_view key,
                                                                   const UploadId& upload) {
  std::map<int, ListedPart> found;
  while (true) {
    auto call = about(bucket_, "ListParts", "GET", key, upload);
    call.query.emplace_back("max-parts", "1000");
    if (!found.empty()) call.query.emplace_back("part-number-marker", std::to_string(found.rbegin()->first));
    auto reply = bucket_.client().call(call);
    if (is_unknown(reply)) return std::nullopt;
    if (!reply.is_done()) throw bucket_.client().unexpected(call, reply);
    auto page = parse_part_list(reply.body);
    if (!page) throw Error(ErrorKind::unavailable, "S3 sent a list of parts that is none.", {}, 1);
    auto before = found.size();
    found.merge(page->parts);
    if (page->is_last || found.size() == before) return found;
  }
}

// The object that the upload's parts were joined to, if it is still there.
std::optional<ObjectInfo> S3ObjectStore::find_joined(std::string_view key, const UploadId& upload) {
  auto found = head(key);
  if (!found || aws::find_header(found->headers, mark_header).value_or("") != upload.mark)
    return std::nullopt;
  auto size = parse_integer(aws::find_header(found->headers, "content-length").value_or(""));
  return info_of(key, found->headers, size.value_or(0));
}

ObjectInfo S3ObjectStore::complete_upload(std::string_view key, std::string_view upload_id,
                                          const std::vector<UploadPart>& parts, const UploadBounds& bounds) {
  check_object_key(key);
  auto upload = parse_upload(upload_id);
  auto stored = find_parts(key, upload);
  if (!stored) {
    auto joined = find_joined(key, upload);
    if (!joined) throw no_upload(upload_id);
    return *joined;
  }
  auto find = [&](int number) {
    auto at = stored->find(number);
    return at == stored->end() ? std::nullopt : std::optional<StoredPart>(at->second);
  };
  auto size = check_parts(parts, find);
  check_size_of_parts(size, upload.size, bounds);

  auto call = about(bucket_, "CompleteMultipartUpload", "POST", key, upload);
  call.headers.emplace_back("content-type", "application/xml");
  call.body = aws::memory_body(completion_of(parts, *stored));
  call.may_fail_in_success = true;
  call.attempt_ms = joining_ms;
  call.most_ms = 2 * joining_ms;
  aws::Reply reply;
  try {
    reply = bucket_.client().call(call);
  } catch (const Error& error) {
    // It may have been carried out all the same, or by somebody else at the same time.
    auto joined = error.kind() == ErrorKind::unavailable ? find_joined(key, upload) : std::nullopt;
    if (!joined) throw;
    return *joined;
  }
  auto joined = find_joined(key, upload);
  if (joined) return *joined;
  if (!reply.is_done()) refuse_parts(call, reply, key, upload, parts);
  // Joined, and replaced or removed since by somebody who was as quick.
  auto info = info_of(key, reply.headers, size);
  info.etag = parse_completed_etag(reply.body).value_or(info.etag);
  info.content_type.clear();
  return info;
}

// S3 would not join the parts, though they were all right just before.
void S3ObjectStore::refuse_parts(const aws::Call& call, const aws::Reply& reply, std::string_view key,
                                 const UploadId& upload, const std::vector<UploadPart>& parts) {
  if (is_unknown(reply)) throw no_upload(text_of(upload));
  if (reply.error_code == "EntityTooLarge") throw Error(ErrorKind::too_large, "The parts are too large.");
  if (reply.error_code == "EntityTooSmall") {
    auto stored = find_parts(key, upload);
    auto faults = stored ? faults_of_small(parts, *stored) : std::vector<Fault>();
    if (faults.empty()) faults.push_back({"/parts", "range", "A part is too small."});
    throw invalid_input(std::move(faults));
  }
  if (reply.error_code == "InvalidPart" || reply.error_code == "InvalidPartOrder") {
    auto number = parse_integer(text_of_error(reply.body, "PartNumber")).value_or(0);
    auto stored = find_parts(key, upload);
    for (const auto& part : parts) {
      auto at = stored ? stored->find(part.part_number) : std::map<int, ListedPart>::iterator();
      bool is_other =
          stored && (at == stored->end() || quoted_etag(at->second.etag) != quoted_etag(part.etag));
      if (is_other || part.part_number == number) throw part_put_again(part.part_number);
    }
    // radosgw wants every part listed that was put; AWS leaves the others out.
    throw Error(ErrorKind::conflict,
                "The parts are not joined: one was put again meanwhile, or one that was put is not listed.");
  }
  throw bucket_.client().unexpected(call, reply);
}

bool S3ObjectStore::abort_upload(std::string_view key, std::string_view upload_id) {
  // Some stores say yes to whatever is to be aborted.
  if (!is_upload_open(key, upload_id)) return false;
  auto call = about(bucket_, "AbortMultipartUpload", "DELETE", key, parse_upload(upload_id));
  auto reply = bucket_.client().call(call);
  if (is_unknown(reply)) return reply.may_have_run_before;
  if (!reply.is_done()) throw bucket_.client().unexpected(call, reply);
  return true;
}

}  // namespace segments::s3
