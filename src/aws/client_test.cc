#include "aws/client.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "aws/test_credentials.h"
#include "base/error.h"

namespace segments::aws {
namespace {

using Answer = TestHttpServer::Answer;
using Received = TestHttpServer::Received;
using Then = TestHttpServer::Then;

Answer dynamodb_error(int status, const std::string& code, Headers headers = {}) {
  return {http_answer(
      status, R"({"__type":"com.amazonaws.dynamodb.v20120810#)" + code + R"(","message":"why"})", headers)};
}

Answer done() {
  return {http_answer(200, "{}", {{"x-amz-crc32", "2745614147"}, {"x-amzn-RequestId", "R1"}})};
}

class AwsClient : public testing::Test, protected TestEnvironment {
 protected:
  AwsClient() {
    set("AWS_ACCESS_KEY_ID", "id");
    set("AWS_SECRET_ACCESS_KEY", "SeCrEt");
  }
  Client::Options options(const TestHttpServer& server) {
    Client::Options out{.service = "dynamodb", .region = "eu-west-1", .origin = server.origin("DynamoDB")};
    out.sleep = [this](Millis ms) {
      waited.push_back(ms);
      steady += ms;
    };
    out.steady = [this] { return steady.load(); };
    out.random = [] { return 0.5; };
    out.clock = [this] { return wall.load(); };
    return out;
  }
  static Call put_item(bool is_idempotent) {
    return {.operation = "PutItem", .body = memory_body("{}"), .is_idempotent = is_idempotent};
  }
  // What is thrown; "" where there is an answer.
  static std::string failure_of(Client& client, const Call& call) {
    try {
      client.call(call);
      return "";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::unavailable);
      EXPECT_EQ(error.retry_after_s(), 1);
      return error.what();
    }
  }

  std::vector<Millis> waited;
  std::atomic<Millis> steady = 0, wall = now_ms();
  CredentialProvider credentials{context()};
};

TEST_F(AwsClient, SendsASignedCall) {
  TestHttpServer server([](const Received&) { return done(); });
  wall = 1'440'938'160'000;  // 2015-08-30T12:36:00Z
  Client client(options(server), credentials);
  auto call = put_item(true);
  call.headers = {{"x-amz-target", "DynamoDB_20120810.PutItem"},
                  {"content-type", "application/x-amz-json-1.0"}};
  auto reply = client.call(call);
  EXPECT_TRUE(reply.is_done());
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "{}");
  EXPECT_EQ(reply.request_id, "R1");
  EXPECT_EQ(reply.attempts, 1);
  EXPECT_FALSE(reply.may_have_run_before);
  auto received = server.received().at(0);
  EXPECT_EQ(received.header("x-amz-date"), "20150830T123600Z");
  EXPECT_EQ(received.header("x-amz-content-sha256"), "");  // S3's alone
  // Signed again from what arrived.
  SigningRequest arrived{.method = received.method, .path = received.target};
  for (const char* name : {"host", "x-amz-target", "content-type"})
    arrived.headers.emplace_back(name, received.header(name));
  arrived.payload_hash = hex_sha256(received.body);
  auto expected = sign_headers(arrived, {"id", "SeCrEt", ""}, {"eu-west-1", "dynamodb", wall});
  EXPECT_EQ(received.header("authorization"), expected.added.back().second);
}

TEST_F(AwsClient, SaysItsDigestToS3) {
  TestHttpServer server([](const Received&) { return Answer{http_answer(200, "")}; });
  auto for_s3 = options(server);
  for_s3.service = "s3";
  Client client(for_s3, credentials);
  Call call{.operation = "PutObject",
            .method = "PUT",
            .path = "/a b",
            .body = memory_body("x"),
            .is_idempotent = true};
  client.call(call);
  call.payload_hash = unsigned_payload;
  client.call(call);
  EXPECT_EQ(server.received().at(0).target, "/a%20b");
  EXPECT_EQ(server.received().at(0).header("x-amz-content-sha256"), hex_sha256("x"));
  EXPECT_EQ(server.received().at(1).header("x-amz-content-sha256"), "UNSIGNED-PAYLOAD");
}

TEST_F(AwsClient, ReadsErrorsOfEveryKind) {
  struct Sample {
    Answer answer;
    const char* code;
    const char* message;
  };
  const Sample samples[] = {
      {dynamodb_error(400, "ConditionalCheckFailedException"), "ConditionalCheckFailedException", "why"},
      {{http_answer(400, R"({"__type":"X#ResourceNotFoundException","Message":"gone"})")},
       "ResourceNotFoundException",
       "gone"},
      {{http_answer(404,
                    "<?xml version=\"1.0\"?>\n<Error><Code>NoSuchKey</Code><Message>m</Message></Error>")},
       "NoSuchKey",
       "m"},
      {{http_answer(403, sts_error("AccessDenied"))}, "AccessDenied", "about the ToKeN"},
      {{http_answer(404, "")}, "Http404", ""},
      {{http_answer(400, "", {{"x-amzn-ErrorType", "ValidationException:http://x"}})},
       "ValidationException",
       ""},
      {{http_answer(403, "<html>proxy")}, "Http403", ""},
      {{http_answer(403, "{broken")}, "Http403", ""},
      {{http_answer(400, "[1]")}, "Http400", ""},
  };
  for (const auto& sample : samples) {
    TestHttpServer server([&](const Received&) { return sample.answer; });
    Client client(options(server), credentials);
    auto reply = client.call(put_item(true));
    EXPECT_FALSE(reply.is_done());
    EXPECT_EQ(reply.error_code, sample.code);
    EXPECT_EQ(reply.error_message, sample.message);
    EXPECT_EQ(server.arrived(), 1);
  }
  EXPECT_TRUE(waited.empty());
}

// What fails in passing, and whether it may have been carried out.
struct Failure {
  const char* name;
  Answer answer;
  bool may_have_run;
};

const Failure failures[] = {
    {"closed", {"", Then::close}, true},
    {"reset", {"", Then::reset}, true},
    {"truncated", {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", Then::close}, true},
    {"bad crc", {http_answer(200, "{}", {{"x-amz-crc32", "1"}})}, true},
    {"no crc", {http_answer(200, "{}", {{"x-amz-crc32", "x"}})}, true},
    {"500", dynamodb_error(500, "InternalServerError"), true},
    {"503", {http_answer(503, "<html>")}, true},
    {"throttled", dynamodb_error(400, "ProvisionedThroughputExceededException"), false},
    {"conflict", dynamodb_error(400, "TransactionConflictException"), false},
};

TEST_F(AwsClient, RepeatsWhatMayBeRepeated) {
  for (const auto& failure : failures)
    for (bool is_idempotent : {true, false}) {
      SCOPED_TRACE(failure.name + std::string(is_idempotent ? ", idempotent" : ", once only"));
      TestHttpServer server([&](const Received& r) { return r.number < 2 ? failure.answer : done(); });
      Client client(options(server), credentials);
      if (is_idempotent || !failure.may_have_run) {
        auto reply = client.call(put_item(is_idempotent));
        EXPECT_TRUE(reply.is_done());
        EXPECT_EQ(reply.attempts, 3);
        EXPECT_EQ(reply.may_have_run_before, failure.may_have_run);
        EXPECT_EQ(server.arrived(), 3);
        // Each is signed anew and on its own.
        EXPECT_EQ(client.budget().left(), 500 - 5);  // two retries, of which the last was brought back
      } else {
        EXPECT_TRUE(
            failure_of(client, put_item(false)).ends_with(" Whether it was carried out is not known."));
        EXPECT_EQ(server.arrived(), 1);
      }
    }
}

// At the server: a thousand calls of a counter in every kind of trouble. None arrives twice after one that
// may have been carried out, so the count lies between what was acknowledged and that plus what was said to
// be unknown.
TEST_F(AwsClient, NeverCountsTwice) {
  std::mutex mutex;
  std::map<std::string, int> carried_out;
  std::mt19937 random(11);
  TestHttpServer server([&](const Received& request) {
    std::lock_guard lock(mutex);
    const auto& failure = failures[random() % std::size(failures)];
    bool fails = random() % 2 == 0;
    if (!fails || failure.may_have_run) ++carried_out[request.body];
    return fails ? failure.answer : done();
  });
  auto many = options(server);
  many.sleep = [](Millis) {};
  Client client(many, credentials);
  std::atomic<int> acknowledged = 0, unknown = 0, refused = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 125; ++i) {
        Call call{.operation = "UpdateItem", .body = memory_body(std::to_string(t * 1'000 + i))};
        try {
          client.call(call);
          ++acknowledged;
        } catch (const Error& error) {
          bool is_unknown = std::string(error.what()).ends_with("is not known.");
          ++(is_unknown ? unknown : refused);
        }
        client.budget().give_back(20);
      }
    });
  for (auto& thread : threads) thread.join();
  int sum = 0;
  for (const auto& [id, count] : carried_out) {
    EXPECT_EQ(count, 1) << id;
    sum += count;
  }
  EXPECT_EQ(acknowledged + unknown + refused, 1'000);
  EXPECT_GE(sum, acknowledged);
  EXPECT_LE(sum, acknowledged + unknown);
  EXPECT_GT(acknowledged, 400);
  EXPECT_GT(unknown, 200);
}

TEST_F(AwsClient, RepeatsWhatWasNotSent) {
  int port;
  {
    TestHttpServer gone([](const Received&) { return done(); });
    port = gone.port();
  }
  TestHttpServer server([](const Received&) { return done(); });
  auto nowhere = options(server);
  nowhere.origin.port = port;
  Client client(nowhere, credentials);
  auto failure = failure_of(client, put_item(false));
  EXPECT_TRUE(failure.starts_with("DynamoDB cannot be reached")) << failure;
  EXPECT_EQ(failure.find("not known"), std::string::npos);
  EXPECT_EQ(waited, (std::vector<Millis>{25, 50, 100}));
}

TEST_F(AwsClient, WaitsLongerWhereItIsThrottled) {
  TestHttpServer server([](const Received& request) {
    return request.number < 2 ? dynamodb_error(400, "ThrottlingException")
                              : dynamodb_error(400, "ThrottlingException", {{"x-amz-retry-after", "3000"}});
  });
  Client client(options(server), credentials);
  auto failure = failure_of(client, put_item(false));
  EXPECT_EQ(failure, "DynamoDB could not do it now (ThrottlingException).");
  EXPECT_EQ(waited, (std::vector<Millis>{500, 1'000, 3'000}));
  EXPECT_EQ(server.arrived(), 4);
}

TEST_F(AwsClient, DoesNotWaitPastItsTime) {
  TestHttpServer server([](const Received&) { return dynamodb_error(400, "ThrottlingException"); });
  Client client(options(server), credentials);
  auto call = put_item(true);
  call.most_ms = 1'500;
  EXPECT_NE(failure_of(client, call), "");
  EXPECT_EQ(waited, (std::vector<Millis>{500}));  // the next second would end when the time does
  EXPECT_EQ(server.arrived(), 2);
}

TEST_F(AwsClient, EndsAnAttemptInItsTime) {
  TestHttpServer server([](const Received& r) { return r.number < 2 ? Answer{"", Then::hold} : done(); });
  Client client(options(server), credentials);
  auto call = put_item(true);
  call.attempt_ms = 40;
  auto reply = client.call(call);
  EXPECT_TRUE(reply.is_done());
  EXPECT_EQ(reply.attempts, 3);
  EXPECT_EQ(client.budget().left(), 500 - 10);  // timeouts cost ten
}

TEST_F(AwsClient, StopsWhereTheBudgetIsUsedUp) {
  TestHttpServer server([](const Received&) { return dynamodb_error(500, "InternalServerError"); });
  Client client(options(server), credentials);
  for (int i = 0; i < 40; ++i) failure_of(client, put_item(true));
  // 500 tokens are 100 retries, whatever is asked.
  EXPECT_EQ(server.arrived(), 40 + 100);
  EXPECT_EQ(client.budget().left(), 0);
}

TEST_F(AwsClient, FillsTheBudgetBySuccess) {
  TestHttpServer server([](const Received&) { return done(); });
  Client client(options(server), credentials);
  client.budget().take(500);
  for (int i = 0; i < 7; ++i) client.call(put_item(true));
  EXPECT_EQ(client.budget().left(), 7);
}

TEST_F(AwsClient, RenewsKeysOnce) {
  put_file("credentials", "[default]\naws_access_key_id=old\naws_secret_access_key=SeCrEt\n");
  set("AWS_ACCESS_KEY_ID", "");
  auto with_clock = context();
  with_clock.clock = [this] { return wall.load(); };
  CredentialProvider provider(with_clock);
  TestHttpServer server([](const Received& request) {
    bool is_new = request.header("authorization").find("Credential=new/") != std::string::npos;
    return is_new ? done() : dynamodb_error(400, "ExpiredTokenException");
  });
  Client client(options(server), provider);
  EXPECT_EQ(client.call(put_item(false)).error_code, "ExpiredTokenException");  // the file still has the same
  wall += 60'000;
  put_file("credentials", "[default]\naws_access_key_id=new\naws_secret_access_key=SeCrEt\n");
  auto reply = client.call(put_item(false));
  EXPECT_TRUE(reply.is_done());
  EXPECT_EQ(reply.attempts, 2);
  EXPECT_FALSE(reply.may_have_run_before);
  EXPECT_TRUE(waited.empty());
}

TEST_F(AwsClient, SetsAWrongClockOnce) {
  const Millis theirs = 1'445'000'000'000;  // Fri, 16 Oct 2015 12:53:20 GMT
  wall = theirs - 3 * 3'600'000;
  TestHttpServer server([](const Received& request) {
    bool is_right = request.header("x-amz-date") == "20151016T125320Z";
    return is_right ? done()
                    : dynamodb_error(400, "InvalidSignatureException",
                                     {{"Date", "Fri, 16 Oct 2015 12:53:20 GMT"}});
  });
  Client client(options(server), credentials);
  EXPECT_EQ(client.call(put_item(false)).attempts, 2);
  EXPECT_EQ(client.call(put_item(false)).attempts, 1);  // it stays right
  EXPECT_EQ(client.presign(put_item(true), 60).expires_at, theirs + 60'000);
}

TEST_F(AwsClient, DoesNotBlameTheClockForAWrongSecret) {
  wall = 1'445'000'000'000 + 60'000;
  TestHttpServer server([](const Received&) {
    return dynamodb_error(400, "InvalidSignatureException", {{"Date", "Fri, 16 Oct 2015 12:53:20 GMT"}});
  });
  Client client(options(server), credentials);
  EXPECT_EQ(client.call(put_item(true)).error_code, "InvalidSignatureException");
  EXPECT_EQ(server.arrived(), 1);
}

TEST_F(AwsClient, DoesNotFillASinkTwice) {
  TestHttpServer server([](const Received&) {
    return Answer{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", Then::close};
  });
  Client client(options(server), credentials);
  std::string sunk;
  Call call{.operation = "GetObject", .method = "GET", .is_idempotent = true};
  call.sink = [&](std::string_view bytes) { sunk += bytes; };
  EXPECT_NE(failure_of(client, call), "");
  EXPECT_EQ(sunk, "12345");
  EXPECT_EQ(server.arrived(), 1);
}

TEST_F(AwsClient, SeesAnErrorInASuccess) {
  TestHttpServer server([](const Received& request) {
    return Answer{http_answer(
        200, request.number == 0
                 ? "<?xml version=\"1.0\"?>\n  <Error><Code>InternalError</Code></Error>"
                 : "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>")};
  });
  Client client(options(server), credentials);
  Call call{.operation = "CompleteMultipartUpload", .is_idempotent = true, .may_fail_in_success = true};
  auto reply = client.call(call);
  EXPECT_TRUE(reply.is_done());
  EXPECT_EQ(reply.attempts, 2);
}

TEST_F(AwsClient, PresignsNoLongerThanItsKeysLive) {
  TestHttpServer server([](const Received&) { return done(); });
  wall = 1'369'353'600'000;  // 2013-05-24T00:00:00Z
  auto for_s3 = options(server);
  for_s3.service = "s3";
  for_s3.origin = {"S3", true, "b.s3.eu-west-1.amazonaws.com", 443};
  Call call{.operation = "GetObject", .method = "GET", .path = "/k e y"};
  Client lasting(for_s3, credentials);
  auto url = lasting.presign(call, 10'000'000);
  EXPECT_TRUE(url.url.starts_with("https://b.s3.eu-west-1.amazonaws.com/k%20e%20y?X-Amz-Algorithm="));
  EXPECT_EQ(url.expires_at, wall + 604'800'000);
  auto with_clock = context();
  with_clock.clock = [this] { return wall.load(); };
  set("AWS_SESSION_TOKEN", "ToKeN");
  set("AWS_CREDENTIAL_EXPIRATION", "2013-05-24T02:00:00Z");
  CredentialProvider short_lived(with_clock);
  Client passing(for_s3, short_lived);
  url = passing.presign(call, 10'000);
  EXPECT_EQ(url.expires_at, wall + 7'200'000);
  EXPECT_NE(url.url.find("X-Amz-Expires=7200&"), std::string::npos);
  EXPECT_NE(url.url.find("X-Amz-Security-Token=ToKeN&"), std::string::npos);
  EXPECT_EQ(passing.presign(call, 60).expires_at, wall + 60'000);
  // From a moment that stays, the same address for as long as the keys are the same.
  auto noon = wall - 12 * 3'600'000;
  url = passing.presign(call, 100'000, noon);
  wall += 60'000;
  EXPECT_EQ(passing.presign(call, 100'000, noon).url, url.url);
  EXPECT_EQ(url.expires_at, noon + 14 * 3'600'000) << "and not beyond the keys' own end";
}

TEST_F(AwsClient, IsForManyThreads) {
  TestHttpServer server([](const Received& request) { return Answer{http_answer(200, request.body)}; });
  Client client(options(server), credentials);
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        auto call = put_item(i % 2 == 0);
        call.body = memory_body(std::to_string(t * i));
        EXPECT_EQ(client.call(call).body, std::to_string(t * i));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(server.arrived(), 800);
}

}  // namespace
}  // namespace segments::aws
