// The calls of the client in use, exactly as it makes them, in auth mode `none`: no token, every GET with a
// content type, cross-origin. What it reads of the answers is what is looked at here.
#include "api/fixture.h"

namespace segments::testing {
namespace {

class ClientInUse : public TrustedApiTest {
 protected:
  Answer fetch(const std::string& method, const std::string& target, const std::string& body = "") {
    Headers headers{{"Content-Type", "application/json"}, {"Origin", "http://localhost:5173"}};
    auto preflight = call("OPTIONS", target.substr(0, target.find('?')), "", "",
                          {{"Origin", "http://localhost:5173"},
                           {"Access-Control-Request-Method", method},
                           {"Access-Control-Request-Headers", "content-type"}});
    EXPECT_LT(preflight.status, 300) << target;
    EXPECT_NE(preflight.header("Access-Control-Allow-Headers").find("Content-Type"), std::string::npos);
    auto answer = call(method, target, body, "", headers);
    EXPECT_EQ(answer.header("Access-Control-Allow-Origin"), "*") << target;
    return answer;
  }
  static bool may_be_read(const Answer& answer) {
    const auto allowed = answer.header("Access-Control-Allow-Origin");
    return allowed == "*" || allowed == "http://localhost:5173";
  }
  // What the worker does with an upload.
  void finish_job(const std::string& id, const std::string& user) {
    std::vector<std::string> keys;
    for (int i = 1; i <= 2; ++i) {
      Segment segment;
      segment.segment_id = make_numbered_segment_id(id, i);
      segment.video_id = id;
      segment.user_id = user;
      segment.segment_number = i;
      segment.s3_key = "processed/" + id + "/segment_00" + std::to_string(i) + ".mp4";
      segment.duration = 12.25;
      segment.file_size = 17;
      segment.filename = "clip_00" + std::to_string(i) + ".mp4";
      segment.thumbnail_url = "thumbnails/" + id + "/segment_00" + std::to_string(i) + ".jpg";
      segment.created_at = segment.updated_at = now_text();
      put_object(segment.s3_key, "bytes of the clip");
      put_object(*segment.thumbnail_url, "bytes of an image", "image/jpeg");
      keys.push_back(segment.s3_key);
      ASSERT_EQ(services().segments.put_segment_from_media(segment), MediaOutcome::changed);
    }
    services().videos.update_video(id, 24.5, keys, std::nullopt);
    JobProgress done;
    done.job_id = id;
    done.stage = "completed";
    done.message = "Done";
    done.progress_percentage = 100;
    done.timestamp = now_text();
    done.output_urls = keys;
    ASSERT_TRUE(services().videos.put_progress(done));
  }
};

TEST_F(ClientInUse, UploadsCutsListsPlaysAndDownloads) {
  probe = [](const std::string&) {
    MediaInfo info;
    info.duration = 20;
    info.has_video = true;
    return info;
  };
  auto begun =
      fetch("POST", "/api/upload/initiate", R"({"filename":"My clip.mp4","content_type":"","file_size":5})");
  ASSERT_EQ(begun.status, 200) << begun.body;
  std::string key = begun.text("s3_key"), job = begun.text("job_id");
  auto sent = call("PUT", begun.text("presigned_url"), "12345", "",
                   {{"Content-Type", "video/mp4"}, {"Origin", "http://localhost:5173"}});
  ASSERT_LT(sent.status, 300) << sent.body;

  // On each keystroke in the box of the duration.
  for (const char* seconds : {"2", "20", "30", "\"\""}) {
    auto analysis = fetch("POST", "/api/video/analyze-duration",
                          R"({"s3_key":")" + key +
                              R"(","cutting_options":{"type":"fixed","duration_seconds":)" + seconds + "}}");
    ASSERT_EQ(analysis.status, 200) << seconds << analysis.body;
    EXPECT_GE(analysis["num_segments"].as_int64(), 1);
    EXPECT_EQ(analysis["total_duration"].to_number<double>(), 20);
  }
  std::string complete =
      R"({"s3_key":")" + key + R"(","job_id":")" + job +
      R"(","cutting_options":{"type":"fixed","duration_seconds":30},"text_strategy":"one_for_all","text_input":{"strategy":"one_for_all","base_text":"Hi"},)"
      R"("user_id":"user-7","filename":"My clip.mp4","file_size":5,"title":"My clip","user_email":"u@example.org","content_type":"video/mp4"})";
  ASSERT_LT(fetch("POST", "/api/upload/complete", complete).status, 300);
  ASSERT_LT(fetch("POST", "/api/upload/complete", complete).status, 300);
  EXPECT_EQ(services().queue.lease_tasks("worker", 10, 60'000).size(), 1u);
  finish_job(job, "user-7");

  auto videos = fetch("GET", "/api/videos");
  const auto& video = videos["videos"].at(0);
  EXPECT_EQ(video.at("status").as_string(), "COMPLETED");
  EXPECT_EQ(video.at("user_id").as_string(), "user-7");
  EXPECT_TRUE(video.at("upload_date").is_string());
  EXPECT_EQ(video.at("output_s3_urls").as_array().size(), 2u);

  auto listed = fetch("GET",
                      "/api/"
                      "segments?user_id=user-7&sort_by=name&order=asc&limit=20&offset=0&min_duration=&max_"
                      "duration=&min_downloads=");
  ASSERT_EQ(listed["segments"].as_array().size(), 2u) << listed.body;
  EXPECT_EQ(listed["page_size"].as_int64(), 2);
  EXPECT_EQ(listed["total_count"].as_int64(), 2);
  const auto& segment = listed["segments"].at(0);
  for (const char* number : {"duration", "file_size", "download_count"})
    EXPECT_TRUE(segment.at(number).is_number()) << number;
  std::string id(segment.at("segment_id").as_string());
  EXPECT_EQ(id, "seg_" + job + "_001");
  EXPECT_EQ(fetch("GET", "/api/videos/" + job + "/segments")["segments"].as_array().size(), 2u);
  EXPECT_EQ(fetch("GET", "/api/segments/" + id).status, 200);
  std::string thumbnail(segment.at("thumbnail_url").as_string());
  EXPECT_TRUE(may_be_read(call("GET", thumbnail, "", "", {{"Origin", "http://localhost:5173"}})));

  auto download = fetch("GET", "/api/segments/" + id + "/download");
  EXPECT_EQ(download["download_count"].as_int64(), 1);
  EXPECT_TRUE(call("GET", download.text("download_url"), "", "")
                  .header("Content-Disposition")
                  .starts_with("attachment; filename="));
  std::string play = fetch("GET", "/api/segments/" + id + "/play").text("play_url");
  auto head = call("HEAD", play, "", "", {{"Origin", "http://localhost:5173"}});
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(may_be_read(head));
  EXPECT_EQ(head.header("Accept-Ranges"), "bytes");
  auto range = call("GET", play, "", "", {{"Range", "bytes=0-4"}});
  EXPECT_EQ(range.status, 206);
  EXPECT_EQ(range.body, "bytes");

  // The first piece's key with scheme and host stripped, and the upload's own.
  for (const std::string& location : {std::string(video.at("output_s3_urls").at(0).as_string()), key}) {
    auto url = fetch("POST", "/api/videos/url", R"({"bucket_location":")" + location + "\"}");
    ASSERT_EQ(url.status, 200) << url.body;
    EXPECT_EQ(call("GET", url.text("url"), "", "").status, 200);
  }
  EXPECT_EQ(call("GET", "/api/jobs/" + job + "/status", "", "")["output_urls"].as_array().size(), 2u);
  EXPECT_EQ(call("GET", "/api/job-progress/" + job + "/stream", "", "").status, 200);
  EXPECT_EQ(
      fetch(
          "POST", "/api/segments/" + id + "/social-media-usage",
          R"({"segment_id":")" + id +
              R"(","platform":"instagram","post_data":{"post_id":"CxAbCdEfGhI","views":10,"likes":1,"shares":1,"comments":1,"posted_at":"2026-01-01T00:00:00Z"}})")
          .status,
      200);
  EXPECT_EQ(fetch("GET", "/health").status, 200);
}

TEST_F(ClientInUse, UploadsInPartsAndCompletesTwice) {
  const std::string first(static_cast<std::size_t>(services().objects.traits().smallest_part) + 4, '1');
  const std::string size = std::to_string(first.size() + 8);
  auto begun = fetch("POST", "/api/upload/initiate-multipart",
                     R"({"filename":"big.mp4","content_type":"video/mp4","file_size":)" + size + "}");
  ASSERT_EQ(begun.status, 200) << begun.body;
  EXPECT_GT(begun["chunk_size"].as_int64(), 0);
  EXPECT_GT(begun["max_concurrent_uploads"].as_int64(), 0);
  std::string upload =
      R"("upload_id":")" + begun.text("upload_id") + R"(","s3_key":")" + begun.text("s3_key") + "\"";
  std::string parts;
  for (int number = 1; number <= 2; ++number) {
    auto part = fetch(
        "POST", "/api/upload/part",
        "{" + upload + R"(,"part_number":)" + std::to_string(number) + R"(,"content_type":"video/mp4"})");
    EXPECT_EQ(part["part_number"].as_int64(), number);
    auto sent = call("PUT", part.text("presigned_url"), number == 1 ? first : "the rest", "",
                     {{"Origin", "http://localhost:5173"}});
    EXPECT_LT(sent.status, 300) << sent.body;
    std::string etag = sent.header("ETag");
    EXPECT_NE(sent.header("Access-Control-Expose-Headers").find("ETag"), std::string::npos);
    parts += (parts.empty() ? "" : ",") + std::string("{\"PartNumber\":") + std::to_string(number) +
             ",\"ETag\":\"" + etag.substr(1, etag.size() - 2) + "\"}";
  }
  std::string rest =
      "{" + upload + R"(,"job_id":")" + begun.text("job_id") + R"(","parts":[)" + parts +
      R"(],"user_id":"user-7","filename":"big.mp4","title":"big","user_email":"u@example.org","content_type":"video/mp4","file_size":)" +
      size;
  EXPECT_LT(fetch("POST", "/api/upload/finalize-multipart", rest + "}").status, 300);
  for (int i = 0; i < 2; ++i) {
    auto complete = fetch(
        "POST", "/api/upload/complete-multipart",
        rest +
            R"(,"cutting_options":{"type":"random","min_duration":15,"max_duration":45},"text_strategy":"unique_for_all","text_input":{"strategy":"unique_for_all","unique_texts":["a","b"]}})");
    EXPECT_LT(complete.status, 300) << complete.body;
  }
  EXPECT_EQ(services().queue.lease_tasks("worker", 10, 60'000).size(), 1u);
  EXPECT_LT(fetch("POST", "/api/upload/abort-multipart", "{" + upload + "}").status, 500);
}

TEST_F(ClientInUse, TheExamplesOfTheOldDocumentWork) {
  EXPECT_EQ(fetch("GET", "/api/segments?user_id=test_user")["segments"].as_array().size(), 0u);
  Segment segment;
  // DynamoDB finds a segment by an id that holds its video's; the migration gives one to those that do not.
  segment.segment_id = is_cloud() ? make_numbered_segment_id("test_video", 1) : "test_segment";
  segment.video_id = "test_video";
  segment.user_id = "test_user";
  segment.s3_key = "processed/test_video/segment_001.mp4";
  segment.created_at = segment.updated_at = now_text();
  services().segments.create_segment(segment);
  auto linked = fetch("POST", "/api/segments/" + segment.segment_id + "/social-media",
                      R"({"platform": "instagram", "post_id": "123456"})");
  EXPECT_EQ(linked.status, 200) << linked.body;
  EXPECT_FALSE(linked.header("X-Task-Id").empty());
}

}  // namespace
}  // namespace segments::testing
