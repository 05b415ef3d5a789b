// Stores for tests: on radosgw behind the gate, each with a bucket of its own; and on a server that answers
// what a script says.
#pragma once

#include <memory>
#include <string>

#include "aws/test_credentials.h"
#include "aws/test_http_server.h"
#include "base/error.h"
#include "engines/engine.h"
#include "s3/s3_object_store.h"

namespace segments::s3 {

// Keys of a test's own, and a bucket that goes with it: made through the gate, which knows regions, and used
// there or at radosgw itself.
class TestBucket : public aws::TestEnvironment {
 public:
  explicit TestBucket(std::string endpoint = engines::s3().endpoint) : endpoint_(std::move(endpoint)) {
    set("AWS_ACCESS_KEY_ID", engines::s3().access_key);
    set("AWS_SECRET_ACCESS_KEY", engines::s3().secret_key);
    ask("CreateBucket", "PUT",
        "<CreateBucketConfiguration><LocationConstraint>" + engines::s3().region +
            "</LocationConstraint></CreateBucketConfiguration>");
  }

  Options options() const { return options_at(endpoint_); }
  Options options_at(const std::string& endpoint) const {
    Options out;
    out.bucket = name_;
    out.region = engines::s3().region;
    out.endpoint = {aws::parse_origin(endpoint, "S3", "the test's endpoint"), true};
    // Tests of throttling need not wait for seconds.
    out.retry.throttled_base_ms = 20;
    out.http.ca_file = engines::s3().ca_file;
    out.payload_signing_enabled = false;  // over TLS, as on AWS
    return out;
  }
  const std::string& name() const { return name_; }
  aws::CredentialProvider& credentials() { return credentials_; }
  // Of the gate's account, whatever the environment says by now.
  aws::Reply ask(const std::string& operation, const std::string& method, const std::string& body = "",
                 const aws::Query& query = {}, const std::string& key = "") {
    Bucket bucket(options_at(engines::s3().endpoint), credentials_);
    auto call = bucket.call(operation, method, key);
    call.query = query;
    call.body = aws::memory_body(body);
    auto reply = bucket.client().call(call);
    if (!reply.is_done())
      throw std::runtime_error(operation + ": " + reply.error_code + " " + reply.error_message);
    return reply;
  }

 private:
  const std::string endpoint_;
  const std::string name_ = engines::unique_name("segments");
  aws::CredentialProvider credentials_{context()};
};

// What a client sends to a presigned address.
inline aws::HttpResponse send_presigned(const std::string& url, const std::string& method,
                                        std::string_view body = "", const aws::Headers& headers = {}) {
  auto slash = url.find('/', url.find("://") + 3);
  aws::HttpRequest request;
  request.method = method;
  request.target = url.substr(slash);
  request.headers = headers;
  request.body = aws::memory_body(std::string(body));
  aws::HttpClient client(aws::HttpClient::Options{.ca_file = engines::s3().ca_file});
  auto outcome = client.send(aws::parse_origin(url.substr(0, slash), "S3", "the address"), request,
                             steady_ms() + 60'000);
  if (outcome.kind != aws::HttpOutcome::Kind::answered) throw std::runtime_error(outcome.failure);
  return std::move(outcome.response);
}

inline std::string put_presigned_part(ObjectStore& store, const std::string& key,
                                      const std::string& upload_id, int number, std::string_view bytes) {
  PresignRequest request;
  request.method = PresignMethod::put;
  request.key = key;
  request.upload_id = upload_id;
  request.part_number = number;
  auto response = send_presigned(store.presign(request).url, "PUT", bytes);
  if (response.status != 200) throw std::runtime_error("the part was refused: " + response.body);
  return std::string(aws::find_header(response.headers, "etag").value_or(""));
}

}  // namespace segments::s3
