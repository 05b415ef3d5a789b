// Whether the bucket can be used, and if not, why.
#include <algorithm>

#include "base/error.h"
#include "base/text.h"
#include "s3/answers.h"
#include "s3/s3_object_store.h"

namespace segments::s3 {

namespace {

constexpr Millis seen_for_ms = 15'000, written_for_ms = 600'000;
constexpr std::string_view probe_key = "uploads/.check";

std::string region_told(const aws::Reply& reply) {
  auto region = std::string(aws::find_header(reply.headers, "x-amz-bucket-region").value_or(""));
  return region.empty() ? text_of_error(reply.body, "Region") : region;
}

bool is_about_keys(std::string_view code) {
  return code == "InvalidAccessKeyId" || code == "SignatureDoesNotMatch" || code == "ExpiredToken" ||
         code == "InvalidToken" || code == "RequestTimeTooSkewed";
}

// `permission` is what the refused call needs.
Error unusable(const Bucket& bucket, const aws::Reply& reply, const char* permission) {
  std::string sentence = "The bucket " + bucket.name() + " ";
  auto region = region_told(reply);
  if (reply.error_code == "NoSuchBucket" || reply.error_code == "Http404")
    sentence += "does not exist.";
  else if (!region.empty() && region != bucket.region())
    sentence += "is in the region " + clean_utf8(region, 60) + ", not in " + bucket.region() + ".";
  else if (is_about_keys(reply.error_code))
    sentence = "S3 does not take our access keys (" + reply.error_code + ").";
  else if (reply.error_code.starts_with("KMS") || reply.error_code.find(".KMS") != std::string::npos)
    sentence += "cannot be written to: its KMS key is refused (" + reply.error_code + ").";
  else if (reply.status == 403)
    sentence += "may not be used with our access keys: " + std::string(permission) + " is refused (" +
                reply.error_code + ").";
  else
    sentence += "cannot be used (" + reply.error_code + ").";
  return Error(ErrorKind::unavailable, sentence, {}, 10);
}

}  // namespace

void S3ObjectStore::check_reading() {
  auto reply = bucket_.client().call(bucket_.call("HeadBucket", "HEAD"));
  if (reply.is_done()) return;
  // A refusal of HEAD has no words.
  auto call = bucket_.call("ListObjectsV2", "GET");
  call.query = {{"list-type", "2"}, {"max-keys", "1"}};
  auto told = bucket_.client().call(call);
  if (!told.is_done()) throw unusable(bucket_, told, "s3:ListBucket");
}

void S3ObjectStore::check_writing() {
  auto call = bucket_.call("CreateMultipartUpload", "POST", probe_key);
  call.query.emplace_back("uploads", "");
  call.headers = bucket_.creation_headers("");
  bucket_.announce_bodies(call);
  auto begun = bucket_.client().call(call);
  if (!begun.is_done()) throw unusable(bucket_, begun, "s3:PutObject");
  auto id = parse_begun_upload(begun.body);
  if (!id) throw Error(ErrorKind::unavailable, "S3 began an upload and did not say which.", {}, 1);
  call = bucket_.call("AbortMultipartUpload", "DELETE", probe_key);
  call.query.emplace_back("uploadId", *id);
  auto aborted = bucket_.client().call(call);
  if (!aborted.is_done() && aborted.status != 404)
    throw unusable(bucket_, aborted, "s3:AbortMultipartUpload");
}

void S3ObjectStore::check_bucket() {
  check_reading();
  check_writing();
}

// Before an object is called absent: of a HEAD that is answered 404 nobody can tell whether the object or the
// bucket is what is missing.
void S3ObjectStore::check_there() {
  Millis now = steady_ms(), seen = seen_at_;
  if (seen != 0 && now - seen < seen_for_ms) return;
  check_reading();
  seen_at_ = now;
}

std::int64_t S3ObjectStore::check_writable() {
  std::lock_guard lock(checking_);
  Millis now = steady_ms();
  bool was_seen = seen_at_ != 0 && now - seen_at_ < seen_for_ms;
  bool was_written = written_at_ != 0 && now - written_at_ < written_for_ms;
  try {
    if (!was_seen) {
      check_reading();
      seen_at_ = now;
    }
    if (!was_written) {
      check_writing();
      written_at_ = now;
    }
  } catch (...) {
    seen_at_ = written_at_ = 0;
    throw;
  }
  return -1;
}

}  // namespace segments::s3
