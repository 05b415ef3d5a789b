#include <fstream>

#include "api/upload_fixture.h"
#include "base/text.h"
#include "http/range.h"

namespace segments::testing {
namespace {

class MediaTest : public UploadTest {
 protected:
  MediaTest() { put_object("processed/v1/segment_001.mp4", "0123456789"); }
  void SetUp() override {
    OF_EMBEDDED_ENGINES("this program serves the bytes of a folder, S3 those of a bucket");
  }

  std::string readable(const std::string& key = "processed/v1/segment_001.mp4") {
    return services().objects.presign({.key = key}).url;
  }
  std::string writable(std::optional<std::int64_t> size = {}, std::optional<std::string> type = {},
                       const std::string& key = "elsewhere/a.mp4") {
    return services()
        .objects
        .presign({.method = PresignMethod::put, .key = key, .content_type = std::move(type), .size = size})
        .url;
  }
  Answer fetch(const std::string& url, Headers headers = {}, const std::string& method = "GET") {
    return call(method, url, "", "", std::move(headers));
  }
};

TEST_F(MediaTest, AnswersTheWholeWithItsHeaders) {
  auto answer = fetch(readable());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "0123456789");
  EXPECT_EQ(answer.header("Content-Type"), "video/mp4");
  EXPECT_EQ(answer.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(answer.header("ETag"), services().objects.find_object("processed/v1/segment_001.mp4")->etag);
  EXPECT_NE(answer.header("Last-Modified"), "");
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
  EXPECT_NE(answer.header("Content-Security-Policy").find("sandbox"), std::string::npos);
  EXPECT_NE(answer.header("Access-Control-Allow-Origin"), "")
      << "the page plays it with crossorigin=anonymous";
  ASSERT_TRUE(answer.response.file);
  EXPECT_EQ(answer.response.file->length, 10);
}

TEST_F(MediaTest, AnswersHeadWithTheSameAddress) {
  auto answer = fetch(readable(), {}, "HEAD");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Accept-Ranges"), "bytes");
  EXPECT_EQ(fetch(readable(), {{"range", "bytes=0-3"}}, "HEAD").status, 200);
}

TEST_F(MediaTest, AnswersSingleRanges) {
  struct Case {
    const char* range;
    int status;
    const char* body;
    const char* content_range;
  };
  for (const auto& c : std::vector<Case>{{"bytes=0-3", 206, "0123", "bytes 0-3/10"},
                                         {"bytes=4-", 206, "456789", "bytes 4-9/10"},
                                         {"bytes=-2", 206, "89", "bytes 8-9/10"},
                                         {"bytes=-100", 206, "0123456789", "bytes 0-9/10"},
                                         {"bytes=9-100", 206, "9", "bytes 9-9/10"},
                                         {"bytes=0-1,3-4", 200, "0123456789", ""},
                                         {"lines=0-1", 200, "0123456789", ""},
                                         {"bytes=5-2", 200, "0123456789", ""},
                                         {"bytes=x", 200, "0123456789", ""}}) {
    auto answer = fetch(readable(), {{"range", c.range}});
    EXPECT_EQ(answer.status, c.status) << c.range;
    EXPECT_EQ(answer.body, c.body) << c.range;
    EXPECT_EQ(answer.header("Content-Range"), c.content_range) << c.range;
  }
  for (const char* range : {"bytes=10-", "bytes=100-200", "bytes=-0"}) {
    auto answer = fetch(readable(), {{"range", range}});
    EXPECT_EQ(answer.status, 416) << range;
    EXPECT_EQ(answer.header("Content-Range"), "bytes */10");
  }
}

TEST_F(MediaTest, HonoursConditions) {
  auto info = *services().objects.find_object("processed/v1/segment_001.mp4");
  auto unchanged = fetch(readable(), {{"if-none-match", "\"other\", " + info.etag}});
  EXPECT_EQ(unchanged.status, 304);
  EXPECT_EQ(unchanged.body, "");
  EXPECT_EQ(unchanged.header("ETag"), info.etag);
  EXPECT_EQ(fetch(readable(), {{"if-none-match", "\"other\""}}).status, 200);
  EXPECT_EQ(fetch(readable(), {{"range", "bytes=0-0"}, {"if-range", info.etag}}).status, 206);
  EXPECT_EQ(fetch(readable(), {{"range", "bytes=0-0"}, {"if-range", "\"other\""}}).status, 200);
  put_object("processed/v1/segment_001.mp4", "another version");
  EXPECT_EQ(fetch(readable(), {{"range", "bytes=0-0"}, {"if-range", info.etag}}).body, "another version");
}

TEST_F(MediaTest, DispositionAndTypeComeFromTheSignature) {
  PresignRequest request{.key = "processed/v1/segment_001.mp4"};
  request.disposition = "attachment; filename=\"mine.mp4\"";
  request.content_type = "application/octet-stream";
  auto answer = fetch(services().objects.presign(request).url);
  EXPECT_EQ(answer.header("Content-Disposition"), "attachment; filename=\"mine.mp4\"");
  EXPECT_EQ(answer.header("Content-Type"), "application/octet-stream");
  EXPECT_EQ(fetch(readable()).header("Content-Disposition"), "inline");
}

TEST_F(MediaTest, WhatIsNotSignedIsForbidden) {
  std::string url = readable();
  for (std::size_t i = std::string_view("/media/").size(); i < url.size(); i += 3) {
    std::string changed = url;
    changed[i] = changed[i] == 'a' ? 'b' : 'a';
    auto answer = fetch(changed);
    EXPECT_EQ(answer.status, 403) << changed;
    EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
  }
  for (const char* target :
       {"/media/processed/v1/segment_001.mp4", "/media/../segments.db", "/media/%2e%2e/segments.db",
        "/media/..%2fsegments.db", "/media/a%00b", "/media/%ff", "/media/a?signature=x", "/media/"}) {
    for (const char* method : {"GET", "HEAD"}) {
      int status = fetch(target, {}, method).status;
      EXPECT_TRUE(status == 403 || status == 404 || status == 400) << target << status;
    }
    int status = call("PUT", target, "x", "").status;
    EXPECT_TRUE(status == 403 || status == 404 || status == 400) << target << status;
  }
}

TEST_F(MediaTest, AnAddressIsForItsMethodAndItsTime) {
  EXPECT_EQ(call("PUT", readable(), "x", "").status, 403);
  EXPECT_EQ(fetch(writable()).status, 403);
  EXPECT_EQ(fetch(writable(), {}, "HEAD").status, 403);
  PresignRequest late{.key = "processed/v1/segment_001.mp4"};
  late.expires_at = now_ms() - 10'000;
  auto answer = fetch(services().objects.presign(late).url);
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(answer.text("detail").find("expired"), std::string::npos);
  late.method = PresignMethod::put;
  EXPECT_EQ(call("PUT", services().objects.presign(late).url, "x", "").status, 403);
  EXPECT_EQ(fetch(readable("processed/v1/none.mp4")).status, 404);
}

TEST_F(MediaTest, PutTakesExactlyWhatWasAnnounced) {
  EXPECT_EQ(put_bytes(writable(5), "1234").status, 400);
  EXPECT_EQ(put_bytes(writable(5), "123456").status, 413);
  EXPECT_EQ(put_bytes(writable(5), "").status, 400);
  EXPECT_FALSE(services().objects.find_object("elsewhere/a.mp4"));
  auto taken = put_bytes(writable(5), "12345");
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(taken.header("ETag"), services().objects.find_object("elsewhere/a.mp4")->etag);
  EXPECT_NE(taken.header("Access-Control-Expose-Headers").find("ETag"), std::string::npos);
  EXPECT_EQ(count_unfinished(), 0u);
}

TEST_F(MediaTest, PutTakesTheTypeThatWasSigned) {
  EXPECT_EQ(put_bytes(writable({}, "video/mp4"), "x", "text/html").status, 415);
  EXPECT_EQ(put_bytes(writable({}, "video/mp4"), "x", "nonsense").status, 415);
  EXPECT_EQ(put_bytes(writable(), "x", "no type").status, 415);
  EXPECT_FALSE(services().objects.find_object("elsewhere/a.mp4"));
  for (const char* type : {"video/mp4", "VIDEO/MP4", "video/mp4; codecs=\"avc1\"", ""}) {
    EXPECT_EQ(put_bytes(writable({}, "video/mp4"), "x", type).status, 200) << type;
    EXPECT_EQ(services().objects.find_object("elsewhere/a.mp4")->content_type, "video/mp4");
  }
  EXPECT_EQ(put_bytes(writable({}, {}, "elsewhere/b.webm"), "x", "").status, 200);
  EXPECT_EQ(services().objects.find_object("elsewhere/b.webm")->content_type, "video/webm");
}

TEST_F(MediaTest, AnUploadedPageCannotRun) {
  ASSERT_EQ(put_bytes(writable(), "<script>steal()</script>", "text/html").status, 200);
  auto answer = fetch(readable("elsewhere/a.mp4"));
  std::string policy = answer.header("Content-Security-Policy");
  EXPECT_NE(policy.find("sandbox"), std::string::npos);
  EXPECT_EQ(policy.find("allow-scripts"), std::string::npos);
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(answer.header("X-Content-Type-Options"), "nosniff");
}

// Takes a body piece by piece, as the server does; nullptr where it is refused from its head.
struct Streaming {
  Request request;
  Router::Match match;
  Router::Upload upload;
};
Streaming begin(Router& router, const std::string& url, std::optional<std::int64_t> length) {
  Streaming streaming;
  streaming.request.method = "PUT";
  streaming.request.target = url;
  streaming.request.content_length = length;
  streaming.match = router.prepare(streaming.request);
  EXPECT_TRUE(streaming.match.route);
  streaming.upload = router.begin_upload(*streaming.match.route, streaming.request);
  return streaming;
}

TEST_F(MediaTest, ABodyThatIsCutOffLeavesNothing) {
  {
    auto streaming = begin(router(), writable(100'000), 100'000);
    ASSERT_TRUE(streaming.upload.sink);
    for (int i = 0; i < 5; ++i)
      EXPECT_FALSE(
          router().write_upload(*streaming.upload.sink, streaming.request, std::string(10'000, 'x')));
    EXPECT_EQ(count_unfinished(), 1u);
  }
  EXPECT_EQ(count_unfinished(), 0u);
  EXPECT_FALSE(services().objects.find_object("elsewhere/a.mp4"));
}

TEST_F(MediaTest, ABodyThatIsTooLongIsEndedAtItsBound) {
  auto streaming = begin(router(), writable(10), std::nullopt);
  ASSERT_TRUE(streaming.upload.sink);
  EXPECT_FALSE(router().write_upload(*streaming.upload.sink, streaming.request, "1234567890"));
  auto ended = router().write_upload(*streaming.upload.sink, streaming.request, "1");
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->status, 413);
  EXPECT_EQ(count_unfinished(), 0u);
  auto declared = begin(router(), writable(10), 11);
  EXPECT_FALSE(declared.upload.sink);
  EXPECT_EQ(declared.upload.refusal.status, 413);
}

TEST_F(MediaTest, ARemovedVideoTakesNoMoreBytes) {
  auto ticket = initiate();
  std::string id = ticket.text("job_id");
  put_bytes(ticket.text("presigned_url"), "bytes");
  post("/api/upload/complete", completion(id, ticket.text("s3_key")));
  EXPECT_EQ(remove("/api/videos/" + id).status, 200);
  EXPECT_EQ(put_bytes(ticket.text("presigned_url"), "late").status, 404);
  EXPECT_FALSE(services().objects.find_object(ticket.text("s3_key")));
}

}  // namespace
}  // namespace segments::testing
