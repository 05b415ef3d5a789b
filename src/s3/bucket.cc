#include "s3/bucket.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace segments::s3 {

namespace {

constexpr Millis small_call_ms = 10'000;
constexpr std::int64_t slowest_bytes_per_ms = 256;

// It becomes part of a host's name or of a path.
const std::string& checked_name(const std::string& bucket) {
  bool is_name = bucket.size() >= 3 && bucket.size() <= 63 && bucket.front() != '.' && bucket.back() != '.' &&
                 bucket.find("..") == std::string::npos;
  for (char c : bucket)
    is_name = is_name && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.');
  if (!is_name)
    throw Error(ErrorKind::invalid,
                "The bucket's name is not of 3 to 63 lower-case letters, digits, dashes and single dots.");
  return bucket;
}

}  // namespace

Bucket::Bucket(Options options, aws::CredentialProvider& credentials)
    : options_(std::move(options)),
      address_(aws::address_of_bucket(options_.endpoint, checked_name(options_.bucket), options_.style)),
      has_checksums_(address_.origin.tls &&
                     !options_.payload_signing_enabled.value_or(options_.endpoint.is_overridden)),
      client_({.service = "s3",
               .region = options_.region,
               .origin = address_.origin,
               .retry = options_.retry,
               .http = options_.http},
              credentials) {}

aws::Call Bucket::call(std::string operation, std::string method, std::string_view key,
                       std::int64_t bytes) const {
  aws::Call out;
  out.operation = std::move(operation);
  out.method = std::move(method);
  out.path = address_.prefix;
  if (!key.empty() || out.path.empty()) out.path.append("/").append(key);
  // Every call here does twice what it does once, or leaves at worst an upload that a lifecycle rule aborts.
  out.is_idempotent = true;
  out.attempt_ms = small_call_ms + bytes / slowest_bytes_per_ms;
  out.most_ms = 3 * out.attempt_ms;
  return out;
}

aws::Headers Bucket::creation_headers(std::string_view content_type) const {
  aws::Headers out;
  if (!content_type.empty()) out.emplace_back("content-type", content_type);
  bool is_own = options_.encryption == Encryption::s3 ||
                (options_.encryption == Encryption::automatic && !options_.endpoint.is_overridden);
  if (!options_.kms_key.empty()) {
    out.emplace_back("x-amz-server-side-encryption", "aws:kms");
    out.emplace_back("x-amz-server-side-encryption-aws-kms-key-id", options_.kms_key);
    // One call to KMS for many objects.
    out.emplace_back("x-amz-server-side-encryption-bucket-key-enabled", "true");
  } else if (is_own) {
    out.emplace_back("x-amz-server-side-encryption", "AES256");
  }
  return out;
}

void Bucket::announce_bodies(aws::Call& call) const {
  if (!has_checksums_) return;
  call.headers.emplace_back("x-amz-checksum-algorithm", "CRC32");
  call.payload_hash = aws::unsigned_payload;
}

void Bucket::set_body(aws::Call& call, aws::Body body) const {
  if (has_checksums_) {
    call.headers.emplace_back("x-amz-checksum-crc32", aws::base64_crc32(body));
    call.payload_hash = aws::unsigned_payload;
  }
  call.body = std::move(body);
}

void check_content_type(std::string_view type) {
  if (type.size() > 200) throw invalid_input({{"/content_type", "length", "The content type is too long."}});
  bool is_plain = std::ranges::all_of(type, [](char c) { return c >= ' ' && c <= '~'; });
  if (!is_plain || trim(type) != type)
    throw invalid_input({{"/content_type", "format", "The content type is like video/mp4."}});
}

std::string quoted_etag(std::string_view etag) {
  bool is_quoted = etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
  return is_quoted ? std::string(etag) : '"' + std::string(etag) + '"';
}

ObjectInfo info_of(std::string_view key, const aws::Headers& headers, std::int64_t size) {
  ObjectInfo out;
  out.key = key;
  out.size = size;
  out.etag = quoted_etag(aws::find_header(headers, "etag").value_or(""));
  out.content_type = aws::find_header(headers, "content-type").value_or("");
  auto modified = aws::find_header(headers, "last-modified");
  // An object that was just put has no time in the answer but that of the answer.
  if (!modified) modified = aws::find_header(headers, "date");
  out.modified = (modified ? aws::parse_http_date(*modified) : std::nullopt).value_or(now_ms());
  return out;
}

}  // namespace segments::s3
