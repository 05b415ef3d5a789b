#include <algorithm>

#include "api/upload_fixture.h"

namespace segments::testing {
namespace {

class VideosTest : public UploadTest {
 protected:
  // As the worker leaves a video that is cut.
  void finish(const std::string& id) {
    std::vector<std::string> keys;
    for (int i = 1; i <= 2; ++i) {
      keys.push_back("processed/" + id + "/segment_00" + std::to_string(i) + ".mp4");
      put_object(keys.back(), "piece");
      put_object("thumbnails/" + id + "/segment_00" + std::to_string(i) + ".jpg", "picture", "image/jpeg");
    }
    services().videos.update_video(id, 65.0, keys, std::nullopt);
    put_progress(id, "completed", 100);
  }
  bool put_progress(const std::string& id, const std::string& stage, double percentage) {
    JobProgress progress;
    progress.job_id = id;
    progress.stage = stage;
    progress.message = stage;
    progress.progress_percentage = percentage;
    progress.timestamp = now_text();
    return services().videos.put_progress(progress);
  }
  std::size_t count_objects() { return services().objects.list_objects("", "", 1'000).size(); }
};

TEST_F(VideosTest, ListsTheUsersOwnNewestFirst) {
  std::string first = make_video("alice", "one.mp4");
  std::string second = make_video("alice", "two.mp4");
  make_video("bob");
  auto list = get("/api/videos");
  ASSERT_EQ(list.status, 200) << list.body;
  EXPECT_EQ(list["total_count"], 2);
  const auto& videos = list["videos"].as_array();
  ASSERT_EQ(videos.size(), 2u);
  EXPECT_EQ(text_of(videos[0].at("video_id")), second);
  EXPECT_EQ(text_of(videos[1].at("video_id")), first);
  for (const char* member : {"video_id", "user_id", "title", "filename", "file_size", "upload_date",
                             "duration", "bucket_location", "output_s3_urls", "status", "error_message"})
    EXPECT_TRUE(videos[0].as_object().contains(member)) << member;
  EXPECT_EQ(videos[0].at("status"), "QUEUED");
  EXPECT_EQ(text_of(get("/api/videos?limit=1&offset=1")["videos"].at(0).at("video_id")), first);
  EXPECT_EQ(get("/api/videos?limit=&offset=")["videos"].as_array().size(), 2u);
  EXPECT_EQ(get("/api/videos?limit=0").status, 422);
  EXPECT_EQ(get("/api/videos?offset=-1").status, 422);
  EXPECT_EQ(get("/api/videos?sort=x").status, 422);
  EXPECT_EQ(get("/api/videos?user_id=bob").status, 403);
  EXPECT_EQ(get("/api/videos", "").status, 401);
}

TEST_F(VideosTest, SomebodyElsesVideoIsAbsent) {
  std::string id = make_video();
  EXPECT_EQ(get("/api/videos/" + id).text("video_id"), id);
  for (const std::string& route : {"/api/videos/" + id, "/api/jobs/" + id + "/status"}) {
    EXPECT_EQ(get(route, "bob").status, 404) << route;
    EXPECT_EQ(get(route, "").status, 401) << route;
  }
  EXPECT_EQ(remove("/api/videos/" + id, "bob").status, 404);
  EXPECT_EQ(post("/api/jobs/" + id + "/cancel", "", "bob").status, 404);
  EXPECT_EQ(get("/api/videos/" + id)["status"], "QUEUED");
  for (const char* odd : {"nosuch", "..", "%2e%2e", "a%2fb", "%00", "%F0%9F%8E%AC", "'%22"}) {
    for (const std::string& route :
         {std::string("/api/videos/") + odd, std::string("/api/jobs/") + odd + "/status"}) {
      int status = get(route).status;
      EXPECT_TRUE(status == 404 || status == 400) << route << status;
    }
    int status = remove(std::string("/api/videos/") + odd).status;
    EXPECT_TRUE(status == 404 || status == 400) << odd << status;
  }
}

TEST_F(VideosTest, RemovalTakesSegmentsObjectsAndTasksWithIt) {
  std::string kept = make_video();
  std::string id = make_video();
  finish(id);
  put_object("audio/" + id + "/audio.m4a", "sound", "audio/mp4");
  create_segment("alice", id, 1);
  create_segment("alice", id, 2);
  create_segment("alice", kept, 1);
  auto removed = remove("/api/videos/" + id);
  ASSERT_EQ(removed.status, 200) << removed.body;
  EXPECT_EQ(removed["segments_removed"], 2);
  EXPECT_EQ(removed["objects_removed"], 6);
  EXPECT_EQ(remove("/api/videos/" + id).status, 404);
  EXPECT_EQ(get("/api/videos/" + id).status, 404);
  EXPECT_EQ(get("/api/jobs/" + id + "/status").status, 404);
  EXPECT_EQ(get("/api/segments")["total_count"], 1);
  EXPECT_EQ(count_objects(), 1u) << "the other video's upload";
  auto tasks = waiting_tasks();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "process-" + kept);
}

TEST_F(VideosTest, ARemovedVideosIdIsNobodyElses) {
  auto ticket = initiate();
  const std::string url = ticket.text("presigned_url"), removed = ticket.text("job_id"),
                    key = ticket.text("s3_key");
  ASSERT_EQ(put_bytes(url, "bytes of a video").status, 200);
  ASSERT_EQ(post("/api/upload/complete", completion(removed, key)).status, 200);
  ASSERT_EQ(remove("/api/videos/" + removed).status, 200);
  const std::string alive = make_video();
  auto create = [&](const std::string& id, const std::string& user) {
    return post(
        "/api/segments",
        R"({"segment_type":"processed","segment_number":1,"duration":1,"file_size":1,"s3_key":"clips/a.mp4",)"
        R"("video_id":)" +
            json_text(id) + "}",
        user);
  };
  // As if she had it still, whatever Bob tries.
  for (const std::string& id : {alive, removed}) {
    const std::string own_key = "uploads/" + id + "/clip.mp4";
    const std::string part = R"({"upload_id":"0123456789abcdef0123456789abcdef","part_number":1,"s3_key":)";
    EXPECT_EQ(create(id, "bob").status, 404) << id;
    EXPECT_EQ(get("/api/videos/" + id + "/segments", "bob").status, 404) << id;
    EXPECT_EQ(post("/api/upload/complete", completion(id, own_key), "bob").status, 404) << id;
    EXPECT_EQ(post("/api/upload/part", part + json_text(own_key) + "}", "bob").status, 404) << id;
    EXPECT_EQ(remove("/api/videos/" + id, "bob").status, 404) << id;
  }
  EXPECT_FALSE(services().objects.find_object(key));

  // She may use it again, and then her own old address leads to her own video.
  EXPECT_EQ(create(removed, "alice").status, 201);
  EXPECT_EQ(create(removed, "bob").status, 404);
  EXPECT_EQ(put_bytes(url, "hers").status, 200);
  EXPECT_EQ(post("/api/videos/url", "{\"bucket_location\":" + json_text(key) + "}", "bob").status, 404);
  EXPECT_EQ(post("/api/videos/url", "{\"bucket_location\":" + json_text(key) + "}").status, 200);
}

TEST_F(VideosTest, AnUploadThatWasNeverCompletedCanBeRemoved) {
  auto ticket = initiate();
  put_bytes(ticket.text("presigned_url"), "bytes");
  EXPECT_EQ(remove("/api/videos/" + ticket.text("job_id"), "bob").status, 404);
  EXPECT_EQ(remove("/api/videos/" + ticket.text("job_id"))["objects_removed"], 1);
  EXPECT_EQ(remove("/api/videos/" + ticket.text("job_id")).status, 404);
  EXPECT_EQ(count_objects(), 0u);
}

TEST_F(VideosTest, AddressesOfOwnObjectsInEveryFormThatPagesKnow) {
  auto ticket = initiate("my film 100%.mp4");
  std::string id = ticket.text("job_id"), key = ticket.text("s3_key");
  put_bytes(ticket.text("presigned_url"), "bytes");
  put_object("processed/" + id + "/odd name 50%.mp4", "piece");
  const std::vector<std::pair<std::string, std::string>> forms = {
      {key, "bytes"},
      {"/" + key, "bytes"},
      {"s3://bucket/" + key, "bytes"},
      {"https://bucket.s3.amazonaws.com/" + key, "bytes"},
      {"http://localhost:8000/media/" + key + "?expires=1&signature=x", "bytes"},
      {"/media/" + key + "?expires=1", "bytes"},
      {"processed/" + id + "/odd name 50%.mp4", "piece"},
      {"s3://bucket/processed/" + id + "/odd name 50%.mp4", "piece"},
      {"https://host/processed/" + id + "/odd%20name%2050%25.mp4", "piece"}};
  for (const auto& [location, bytes] : forms) {
    auto answer = post("/api/videos/url", "{\"bucket_location\":" + json_text(location) + "}");
    ASSERT_EQ(answer.status, 200) << location << answer.body;
    EXPECT_EQ(answer.text("url"), answer.text("signedUrl"));
    EXPECT_NE(answer.text("expires_at").find('Z'), std::string::npos);
    auto media = call("GET", answer.text("url"), "", "", {{"range", "bytes=0-100"}});
    EXPECT_EQ(media.status, 206);
    EXPECT_EQ(media.body, bytes);
    EXPECT_EQ(media.header("Content-Disposition").find("inline"), 0u);
    EXPECT_EQ(call("HEAD", answer.text("url"), "", "").status, 200);
  }
}

TEST_F(VideosTest, AddressesOfAnythingElseAreNotGiven) {
  std::string id = make_video();
  std::string key = services().videos.find_video(id)->bucket_location;
  put_object("secrets/a.mp4", "x");
  put_object("uploads/nobodys/a.mp4", "x");
  auto ask = [&](const std::string& location, const std::string& user = "alice") {
    return post("/api/videos/url", "{\"bucket_location\":" + json_text(location) + "}", user).status;
  };
  EXPECT_EQ(ask(key, "bob"), 404);
  EXPECT_EQ(ask("secrets/a.mp4"), 404);
  EXPECT_EQ(ask("uploads/nobodys/a.mp4"), 404);
  EXPECT_EQ(ask("uploads/" + id + "/none.mp4"), 404);
  EXPECT_EQ(ask("uploads/" + id), 404);
  for (const std::string& location :
       {std::string(), std::string("/"), std::string("s3://"), std::string("s3://bucket"),
        std::string("https://host"), "uploads/" + id + "/../../secrets/a.mp4",
        "https://host/uploads/" + id + "/%2e%2e/x", std::string("https://host/uploads/%zz/x"),
        "https://host/uploads/" + id + "/a%00b", std::string(2'000, 'x'), std::string(5'000, 'x')})
    EXPECT_EQ(ask(location), 422) << location;
  EXPECT_EQ(post("/api/videos/url", "{}").status, 422);
  EXPECT_EQ(post("/api/videos/url", R"({"bucket_location":["x"]})").status, 422);
}

TEST_F(VideosTest, AJobsStateIsShownWithAddressesThatPlay) {
  std::string id = make_video();
  auto queued = get("/api/jobs/" + id + "/status");
  ASSERT_EQ(queued.status, 200) << queued.body;
  EXPECT_EQ(queued["status"], "QUEUED");
  EXPECT_EQ(queued["progress"].to_number<double>(), 0);
  EXPECT_EQ(queued["output_urls"].as_array().size(), 0u);
  put_progress(id, "segmenting", 40);
  put_progress(id, "segmenting", 30);
  auto running = get("/api/jobs/" + id + "/status");
  EXPECT_EQ(running["status"], "PROCESSING");
  EXPECT_EQ(running["progress"].to_number<double>(), 40);
  EXPECT_EQ(running["stage"], "segmenting");
  finish(id);
  auto done = get("/api/jobs/" + id + "/status");
  EXPECT_EQ(done["status"], "COMPLETED");
  EXPECT_EQ(done["total_segments"], 2);
  ASSERT_EQ(done["output_urls"].as_array().size(), 2u);
  for (const auto& url : done["output_urls"].as_array()) {
    auto media = call("GET", std::string(url.as_string()), "", "");
    EXPECT_EQ(media.status, 200);
    EXPECT_EQ(media.body, "piece");
  }
}

TEST_F(VideosTest, CancellingTakesTheTaskBackOnce) {
  std::string id = make_video();
  auto cancelled = post("/api/jobs/" + id + "/cancel", "");
  ASSERT_EQ(cancelled.status, 200) << cancelled.body;
  EXPECT_EQ(cancelled["status"], "CANCELLED");
  EXPECT_EQ(services().queue.find_task("process-" + id)->status, TaskStatus::REVOKED);
  EXPECT_EQ(waiting_tasks().size(), 0u);
  auto again = post("/api/jobs/" + id + "/cancel", "");
  EXPECT_EQ(again.status, 409);
  EXPECT_NE(again.text("detail").find("CANCELLED"), std::string::npos);
  // Completing the upload again does not wake it.
  std::string key = services().videos.find_video(id)->bucket_location;
  auto completed = post("/api/upload/complete", completion(id, key));
  EXPECT_EQ(completed.status, 409);
  EXPECT_NE(completed.text("detail").find("CANCELLED"), std::string::npos);
  EXPECT_EQ(services().videos.find_video(id)->status, VideoStatus::CANCELLED);
  EXPECT_EQ(waiting_tasks().size(), 0u);
  std::string finished = make_video();
  finish(finished);
  EXPECT_EQ(post("/api/jobs/" + finished + "/cancel", "").status, 409);
  EXPECT_EQ(get("/api/jobs/" + finished + "/status")["status"], "COMPLETED");
}

}  // namespace
}  // namespace segments::testing
