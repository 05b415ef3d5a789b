// Presigned addresses, as clients use them.
#include <gtest/gtest.h>

#include "s3/test_store.h"

namespace segments::s3 {
namespace {

class S3Presign : public ::testing::Test {
 protected:
  S3Presign() { engine_.as_new(); }
  ~S3Presign() override { engine_.as_new(); }

  void put(const std::string& key, std::string_view bytes) {
    auto writer = store_.write_object(key, "video/mp4");
    writer->write(bytes);
    writer->commit();
  }
  static std::string header(const aws::HttpResponse& response, std::string_view name) {
    return std::string(aws::find_header(response.headers, name).value_or(""));
  }
  static PresignRequest for_put(const std::string& key) {
    PresignRequest request;
    request.method = PresignMethod::put;
    request.key = key;
    return request;
  }

  engines::Engine& engine_ = engines::s3();
  TestBucket bucket_;
  S3ObjectStore store_{bucket_.options(), bucket_.credentials()};
};

TEST_F(S3Presign, GivesAnObjectUnderTheNameAndTypeThatWereAskedFor) {
  const std::string key = "uploads/v/it's \"quoted\" <&>;$(x)`y`|*?%25+=😀.mp4";
  put(key, "0123456789");
  PresignRequest request;
  request.key = key;
  request.disposition = "attachment; filename=\"a b.mp4\"; filename*=UTF-8''%C3%BC.mp4";
  request.content_type = "video/webm";
  auto url = store_.presign(request).url;
  auto whole = send_presigned(url, "GET");
  EXPECT_EQ(whole.status, 200) << whole.body;
  EXPECT_EQ(whole.body, "0123456789");
  EXPECT_EQ(header(whole, "content-disposition"), *request.disposition);
  EXPECT_EQ(header(whole, "content-type"), "video/webm");
  auto part = send_presigned(url, "GET", "", {{"range", "bytes=2-4"}});
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(send_presigned(url + "&x=y", "GET").status, 403);
}

TEST_F(S3Presign, AnswersHeadByAnAddressOfItsOwn) {
  put("a", "0123456789");
  PresignRequest request;
  request.key = "a";
  EXPECT_EQ(send_presigned(store_.presign(request).url, "HEAD").status, 403) << "as its traits say";
  EXPECT_FALSE(store_.traits().get_answers_head);
  request.method = PresignMethod::head;
  auto response = send_presigned(store_.presign(request).url, "HEAD");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(header(response, "content-length"), "10");
}

TEST_F(S3Presign, TakesTheBytesThatWereAnnouncedAndNoOthers) {
  auto request = for_put("a");
  request.size = 5;
  request.content_type = "video/mp4";
  auto url = store_.presign(request).url;
  EXPECT_EQ(send_presigned(url, "PUT", "123456", {{"content-type", "video/mp4"}}).status, 403);
  EXPECT_EQ(send_presigned(url, "PUT", "1234", {{"content-type", "video/mp4"}}).status, 403);
  EXPECT_EQ(send_presigned(url, "PUT", "12345", {{"content-type", "text/html"}}).status, 403);
  EXPECT_EQ(send_presigned(url, "PUT", "12345").status, 403);
  EXPECT_FALSE(store_.find_object("a"));
  auto taken = send_presigned(url, "PUT", "12345", {{"content-type", "video/mp4"}});
  EXPECT_EQ(taken.status, 200) << taken.body;
  EXPECT_EQ(store_.find_object("a")->size, 5);
  EXPECT_EQ(store_.find_object("a")->content_type, "video/mp4");
  EXPECT_EQ(send_presigned(store_.presign(for_put("b")).url, "PUT", "anything").status, 200);
}

TEST_F(S3Presign, BindsAPartToItsNumberAndSize) {
  auto id = store_.begin_upload("a", "video/mp4");
  auto request = for_put("a");
  request.upload_id = id;
  request.part_number = 2;
  request.size = 3;
  auto url = store_.presign(request).url;
  EXPECT_EQ(send_presigned(url, "PUT", "1234").status, 403);
  auto other = url;
  other.replace(other.find("partNumber=2"), 12, "partNumber=3");
  EXPECT_EQ(send_presigned(other, "PUT", "123").status, 403);
  auto taken = send_presigned(url, "PUT", "123");
  EXPECT_EQ(taken.status, 200) << taken.body;
  EXPECT_EQ(store_.complete_upload("a", id, {{2, header(taken, "etag")}}).size, 3);
  request.upload_id = "unknown";
  EXPECT_THROW(store_.presign(request), Error);
}

TEST_F(S3Presign, ExpiresWhenItSays) {
  put("a", "x");
  PresignRequest request;
  request.key = "a";
  request.expires_in_s = 600;
  auto url = store_.presign(request);
  request.expires_at = now_ms() + 600'000;
  auto steady = store_.presign(request);
  EXPECT_EQ(steady.expires, (*request.expires_at + 999) / 1000 * 1000);
  for (const auto& one : {url.url, steady.url}) EXPECT_EQ(send_presigned(one, "GET").status, 200);
  engine_.control("POST", "clock", R"({"offset":500})");
  for (const auto& one : {url.url, steady.url}) EXPECT_EQ(send_presigned(one, "GET").status, 200);
  engine_.control("POST", "clock", R"({"offset":700})");
  for (const auto& one : {url.url, steady.url}) EXPECT_EQ(send_presigned(one, "GET").status, 403);
}

TEST_F(S3Presign, KeepsAnAddressForADay) {
  put("a", "x");
  constexpr Millis day = 86'400'000;
  PresignRequest request;
  request.key = "a";
  request.expires_at = (now_ms() / day + 2) * day;
  auto url = store_.presign(request);
  EXPECT_EQ(url.expires, *request.expires_at);
  // Its signature's time is this day's beginning, whenever of the day it is made.
  EXPECT_NE(url.url.find("T000000Z"), std::string::npos);
  EXPECT_NE(url.url.find("X-Amz-Expires=172800&"), std::string::npos) << url.url;
  EXPECT_EQ(send_presigned(url.url, "GET").status, 200);
  // Beyond what S3 takes it ends after a week, and says so.
  request.expires_at = (now_ms() / day + 30) * day;
  url = store_.presign(request);
  EXPECT_LT(url.expires, now_ms() + 7 * day + 1'000);
}

TEST_F(S3Presign, LivesNoLongerThanTheKeys) {
  put("a", "x");
  bucket_.set("AWS_ACCESS_KEY_ID", engine_.temporary.access_key);
  bucket_.set("AWS_SECRET_ACCESS_KEY", engine_.temporary.secret_key);
  bucket_.set("AWS_SESSION_TOKEN", engine_.temporary.session_token);
  Millis end = now_ms() / 1000 * 1000 + 1'800'000;
  bucket_.set("AWS_CREDENTIAL_EXPIRATION", format_time(end));
  aws::CredentialProvider passing(bucket_.context());
  S3ObjectStore store(bucket_.options(), passing);
  PresignRequest request;
  request.key = "a";
  request.expires_in_s = 7'200;
  for (bool is_steady : {false, true}) {
    if (is_steady) request.expires_at = end + 3'600'000;
    auto url = store.presign(request);
    EXPECT_LE(url.expires, end);
    EXPECT_GT(url.expires, end - 2'000);
    EXPECT_EQ(send_presigned(url.url, "GET").status, 200);
  }
}

TEST_F(S3Presign, IsReadWithRandomAccessForALongJob) {
  put("v/a", "0123456789");
  auto url = store_.readable_location("v/a");
  engine_.control("POST", "clock", R"({"offset":82800})");  // 23 hours
  auto part = send_presigned(url, "GET", "", {{"range", "bytes=4-"}});
  EXPECT_EQ(part.status, 206) << part.body;
  EXPECT_EQ(part.body, "456789");
}

}  // namespace
}  // namespace segments::s3
