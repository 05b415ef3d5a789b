#include "api/cloud.h"

#include <cstdlib>
#include <string_view>

#include "redis/client.h"
#include "redis/test_server.h"

namespace segments::testing {

namespace {

redis::RedisServer& redis_server() {
  static redis::RedisServer server;
  return server;
}

// Once, while there is one thread: the program's own wiring finds AWS in the environment, as AWS's users have
// it.
void enter_account() {
  static const bool is_entered = [] {
    const auto &dynamodb = engines::dynamodb(), &s3 = engines::s3();
    // A program has one key, for both.
    s3.control("POST", "credentials",
               R"({"access_key":)" + encode(dynamodb.access_key) + R"(,"secret_key":)" +
                   encode(dynamodb.secret_key) + "}");
    ::setenv("AWS_ACCESS_KEY_ID", dynamodb.access_key.c_str(), 1);
    ::setenv("AWS_SECRET_ACCESS_KEY", dynamodb.secret_key.c_str(), 1);
    ::setenv("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.endpoint.c_str(), 1);
    ::setenv("AWS_ENDPOINT_URL_S3", s3.endpoint.c_str(), 1);
    ::unsetenv("AWS_SESSION_TOKEN");
    return true;
  }();
  static_cast<void>(is_entered);
}

// As terraform/ has it: pages of any origin put and get.
constexpr const char* cors =
    "<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedHeader>*</AllowedHeader>"
    "<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedMethod>PUT</AllowedMethod>"
    "<ExposeHeader>ETag</ExposeHeader><ExposeHeader>Content-Length</ExposeHeader>"
    "<ExposeHeader>Content-Range</ExposeHeader><ExposeHeader>Accept-Ranges</ExposeHeader>"
    "<MaxAgeSeconds>3000</MaxAgeSeconds></CORSRule></CORSConfiguration>";

}  // namespace

bool is_cloud() {
  const char* named = std::getenv("SEGMENTS_TEST_ENGINES");
  return std::getenv("SEGMENTS_TEST_CLOUD") || (named && std::string_view(named) == "cloud");
}

Cloud::Cloud() {
  enter_account();
  bucket_.ask("PutBucketCors", "PUT", cors, {{"cors", ""}});
  redis::Client(redis::parse_url(redis_server().url())).ask({"FLUSHALL"});
}

void Cloud::configure(Config& config) const {
  config.store = StoreEngine::dynamodb;
  config.objects = ObjectsEngine::s3;
  config.queue = QueueEngine::redis;
  config.redis_url = redis_server().url();
  config.aws_region = engines::dynamodb().region;
  config.dynamodb_table_name = table_.name();
  config.aws_bucket_name = bucket_.name();
}

std::size_t Cloud::count_open_uploads() {
  const std::string listed = bucket_.ask("ListMultipartUploads", "GET", "", {{"uploads", ""}}).body;
  std::size_t count = 0;
  for (auto at = listed.find("<Upload>"); at != listed.npos; at = listed.find("<Upload>", at + 1)) ++count;
  return count;
}

}  // namespace segments::testing
