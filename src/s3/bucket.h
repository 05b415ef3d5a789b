// One bucket: where it is, how calls to it look, and what its refusals mean.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "aws/client.h"
#include "aws/endpoint.h"
#include "objects/object_store.h"

namespace segments::s3 {

// How what we put is to be encrypted at rest.
enum class Encryption {
  automatic,  // by S3's own keys (SSE-S3) on AWS; not asked for where the endpoint is another
  none,       // not asked for: the bucket's default holds
  s3,         // SSE-S3
};

struct Options {
  std::string bucket;
  std::string region;
  aws::Endpoint endpoint;  // aws::endpoint_of("s3", "S3", region, environment)
  aws::BucketStyle style = aws::BucketStyle::automatic;
  std::string kms_key;  // an id or ARN of a key of KMS; over `encryption` where it is not empty
  Encryption encryption = Encryption::automatic;
  // The SHA-256 of what we put is part of the signature. Else, which is for TLS alone, a CRC-32 goes with it,
  // against which AWS checks what arrives. Empty: no on AWS; yes elsewhere, since some stores ignore that CRC
  // and some refuse it. Over plain http it is always signed.
  std::optional<bool> payload_signing_enabled = {};
  aws::RetryPolicy retry = {.most_attempts = 5};
  // S3 may be silent for a while after the last byte of a large body.
  aws::HttpClient::Options http = {.stall_ms = 20'000};
};

// What an upload may have at most and least, of S3's own.
inline constexpr std::int64_t smallest_part = 5 << 20;
inline constexpr std::int64_t most_parts = 10'000;

class Bucket {
 public:
  Bucket(Options, aws::CredentialProvider&);

  // A call about the object, or about the bucket itself where `key` is empty; with time for so many bytes.
  aws::Call call(std::string operation, std::string method, std::string_view key = "",
                 std::int64_t bytes = 0) const;
  aws::Client& client() { return client_; }
  // For what creates objects: content type (none where it is empty), encryption.
  aws::Headers creation_headers(std::string_view content_type) const;
  // For the beginning of an upload whose parts are given by set_body(): it goes as they will, and is refused
  // where they would be. AWS then refuses parts without checksums, so not for those that clients put.
  void announce_bodies(aws::Call&) const;
  // An object's bytes, or a part's, with what the store checks them by.
  void set_body(aws::Call&, aws::Body) const;
  const std::string& name() const { return options_.bucket; }
  const std::string& region() const { return options_.region; }

 private:
  const Options options_;
  const aws::BucketAddress address_;
  const bool has_checksums_;  // instead of signed payloads
  aws::Client client_;
};

// Throws Error{invalid} for a content type that a header cannot carry.
void check_content_type(std::string_view);
// As HTTP writes it, however it came: S3's XML and callers leave the quotes out now and then.
std::string quoted_etag(std::string_view etag);
// Of an answer that has an object's headers (HEAD, GET).
ObjectInfo info_of(std::string_view key, const aws::Headers&, std::int64_t size);

}  // namespace segments::s3
