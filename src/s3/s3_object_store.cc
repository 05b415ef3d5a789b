#include "s3/s3_object_store.h"

#include <algorithm>

#include "base/error.h"
#include "base/object_key.h"
#include "base/text.h"
#include "objects/key.h"
#include "objects/presign.h"
#include "s3/answers.h"
#include "s3/ranged_read.h"
#include "s3/upload.h"

namespace segments::s3 {

namespace {

constexpr Millis day_ms = 86'400'000;
constexpr std::size_t largest_page = 1'000;
constexpr std::int64_t largest_object = std::int64_t{1} << 50;  // beyond what any store takes

// So that the same end gives the same address for a while: the signature's time is a whole number of days
// before the end, the last such moment that is past.
Millis signing_time_for(Millis end, Millis now) {
  auto days = std::max<Millis>(1, (end - now + day_ms - 1) / day_ms);
  return end - days * day_ms;
}

const char* verb_of(PresignMethod method) {
  switch (method) {
    case PresignMethod::get:
      return "GET";
    case PresignMethod::head:
      return "HEAD";
    case PresignMethod::put:
      return "PUT";
  }
  return "GET";
}

}  // namespace

S3ObjectStore::S3ObjectStore(Options options, aws::CredentialProvider& credentials)
    : bucket_(std::move(options), credentials) {}

ObjectStoreTraits S3ObjectStore::traits() const {
  // A signature names its method.
  return {.get_answers_head = false, .smallest_part = smallest_part};
}

std::optional<aws::Reply> S3ObjectStore::head(std::string_view key) {
  auto call = bucket_.call("HeadObject", "HEAD", key);
  for (bool is_again : {false, true}) {
    auto reply = bucket_.client().call(call);
    if (reply.is_done()) return reply;
    if (reply.status == 404) return check_there(), std::nullopt;
    if (is_again) throw bucket_.client().unexpected(call, reply);
    // A refusal of HEAD has no body to say why, so nobody could mend it (expired keys, a wrong clock). That
    // of GET has.
    auto telling = bucket_.call("GetObject", "GET", key);
    telling.headers.emplace_back("range", "bytes=0-0");
    auto told = bucket_.client().call(telling);
    if (!told.is_done() && told.status != 404 && told.status != 416)
      throw bucket_.client().unexpected(telling, told);
  }
  return std::nullopt;
}

std::optional<ObjectInfo> S3ObjectStore::find_object(std::string_view key) {
  check_object_key(key);
  auto found = head(key);
  if (!found) return std::nullopt;
  auto size = parse_integer(aws::find_header(found->headers, "content-length").value_or(""));
  return info_of(key, found->headers, size.value_or(0));
}

std::string S3ObjectStore::read_object(std::string_view key, std::int64_t offset, std::int64_t length) {
  check_object_key(key);
  offset = std::clamp<std::int64_t>(offset, 0, largest_object);
  if (length > 0) return read_range(bucket_, key, offset, std::min(length, largest_object));
  if (!head(key)) throw not_found("object", key);
  return {};
}

bool S3ObjectStore::remove_object(std::string_view key) {
  check_object_key(key);
  if (!head(key)) return false;  // S3 itself does not tell
  auto call = bucket_.call("DeleteObject", "DELETE", key);
  auto reply = bucket_.client().call(call);
  if (!reply.is_done() && reply.error_code != "NoSuchKey" && reply.error_code != "Http404")
    throw bucket_.client().unexpected(call, reply);
  return true;
}

std::vector<ObjectInfo> S3ObjectStore::list_objects(std::string_view prefix, std::string_view after,
                                                    std::size_t limit) {
  std::vector<ObjectInfo> found;
  std::string last(after);
  while (found.size() < limit) {
    auto call = bucket_.call("ListObjectsV2", "GET");
    call.query = {{"list-type", "2"},
                  {"encoding-type", "url"},
                  {"prefix", std::string(prefix)},
                  {"max-keys", std::to_string(std::min(largest_page, limit - found.size()))}};
    if (!last.empty()) call.query.emplace_back("start-after", last);
    auto reply = bucket_.client().call(call);
    if (!reply.is_done()) throw bucket_.client().unexpected(call, reply);
    auto page = parse_object_list(reply.body);
    if (!page) throw Error(ErrorKind::unavailable, "S3 sent a list of objects that is none.", {}, 1);
    if (!page->objects.empty()) last = page->objects.back().key;
    for (auto& object : page->objects)
      // What others put into the bucket under keys that are none of ours is not ours to show.
      if (!fault_of_object_key(object.key)) found.push_back(std::move(object));
    if (page->is_last || page->objects.empty()) break;
  }
  return found;
}

PresignedUrl S3ObjectStore::presign(const PresignRequest& request) {
  check_presign(request);
  auto call = bucket_.call("", verb_of(request.method), request.key);
  if (request.method == PresignMethod::put) {
    if (request.size) call.headers.emplace_back("content-length", std::to_string(*request.size));
    if (request.upload_id) {
      call.query = {{"partNumber", std::to_string(request.part_number)},
                    {"uploadId", parse_upload(*request.upload_id).id}};
    } else if (request.content_type) {
      check_content_type(*request.content_type);
      call.headers.emplace_back("content-type", *request.content_type);
    }
  } else {
    if (request.disposition) call.query.emplace_back("response-content-disposition", *request.disposition);
    if (request.content_type) call.query.emplace_back("response-content-type", *request.content_type);
  }
  aws::PresignedUrl made;
  if (request.expires_at) {
    Millis end = (*request.expires_at + 999) / 1000 * 1000;
    Millis begin = signing_time_for(end, now_ms());
    made = bucket_.client().presign(call, (end - begin) / 1000, begin);
  } else {
    made = bucket_.client().presign(call, request.expires_in_s);
  }
  return {.url = std::move(made.url), .expires = made.expires_at};
}

std::string S3ObjectStore::readable_location(std::string_view key) {
  if (!find_object(key)) throw not_found("object", key);
  PresignRequest request;
  request.key = key;
  request.expires_in_s = day_ms / 1000;
  return presign(request).url;
}

}  // namespace segments::s3
