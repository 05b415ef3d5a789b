#include <set>
#include <thread>

#include "api/upload_fixture.h"
#include "base/error.h"
#include "describe/decode.h"
#include "model/segment.h"
#include "tasks/create_segments_from_video.h"

namespace segments::testing {
namespace {

TEST_F(UploadTest, FromAFileToAQueuedJob) {
  auto ticket = initiate("Holiday film.mp4", "video/mp4", 5);
  ASSERT_EQ(ticket.status, 200) << ticket.body;
  std::string id = ticket.text("job_id"), key = ticket.text("s3_key");
  EXPECT_EQ(key, "uploads/" + id + "/Holiday_film.mp4");
  EXPECT_EQ(ticket.text("video_id"), id);
  EXPECT_EQ(ticket.text("presigned_url").find("http"), 0u);

  auto put = put_bytes(ticket.text("presigned_url"), "12345");
  EXPECT_EQ(put.status, 200) << put.body;
  EXPECT_NE(put.header("ETag"), "");

  auto done = post("/api/upload/complete",
                   completion(id, key,
                              R"("cutting_options":{"type":"random","min_duration":5,"max_duration":9.5},
          "text_strategy":"one_for_all","text_input":{"strategy":"one_for_all","base_text":"Hello"},
          "user_id":"alice","filename":"Holiday film.mp4","file_size":5,"title":"Holiday","user_email":"a@b.c",
          "content_type":"video/mp4")"));
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.text("job_id"), id);
  EXPECT_EQ(done.text("video_id"), id);
  EXPECT_EQ(done.text("status"), "QUEUED");
  EXPECT_EQ(done.text("s3_key"), key);

  auto video = services().videos.find_video(id);
  ASSERT_TRUE(video);
  EXPECT_EQ(video->user_id, "alice");
  EXPECT_EQ(video->title, "Holiday");
  EXPECT_EQ(video->filename, "Holiday film.mp4");
  EXPECT_EQ(video->file_size, 5);
  EXPECT_EQ(video->bucket_location, key);
  EXPECT_EQ(video->task_id, "process-" + id);

  auto tasks = waiting_tasks();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "process-" + id);
  EXPECT_EQ(tasks[0].name, "tasks.process_video_task");
  EXPECT_EQ(tasks[0].user_id, "alice");
  auto arguments = boost::json::parse(tasks[0].arguments);
  EXPECT_EQ(text_of(arguments.at("s3_input_key")), key);
  EXPECT_EQ(text_of(arguments.at("job_id")), id);
  EXPECT_EQ(arguments.at("user_id"), "alice");
  EXPECT_EQ(arguments.at("text_strategy"), "one_for_all");
  EXPECT_EQ(arguments.at("text_input").at("base_text"), "Hello");
  EXPECT_EQ(arguments.at("cutting_options").at("type"), "random");
  EXPECT_EQ(arguments.at("cutting_options").at("max_duration"), 9.5);
}

TEST_F(UploadTest, CompletingNeedsNoMoreThanKeyAndJob) {
  std::string id = make_video("alice", "clip.final.mp4");
  auto video = services().videos.find_video(id);
  ASSERT_TRUE(video);
  EXPECT_EQ(video->filename, "clip.final.mp4");
  EXPECT_EQ(video->title, "clip.final");
}

TEST_F(UploadTest, ATitleFromALongNameIsOneThatTheTasksTake) {
  std::string stem;
  for (int i = 0; i < 249; ++i) stem += "aé漢😀";
  for (const std::string& name :
       {stem + ".mp4", std::string(996, 'x') + ".mp4", std::string(499, 'x') + " .mp4",
        std::string(499, 'x') + " y.mp4", "." + std::string(600, 'y')}) {
    auto ticket = initiate(name);
    ASSERT_EQ(ticket.status, 200) << ticket.body;
    std::string id = ticket.text("job_id");
    ASSERT_EQ(put_bytes(ticket.text("presigned_url"), "bytes").status, 200);
    std::string more = "\"filename\":" + json_text(name) + R"(,"tags":["one","two"])";
    ASSERT_EQ(post("/api/upload/complete", completion(id, ticket.text("s3_key"), more)).status, 200);
    auto video = services().videos.find_video(id);
    ASSERT_TRUE(video);
    EXPECT_EQ(video->filename, name);
    EXPECT_TRUE(name.starts_with(video->title)) << video->title;
    EXPECT_GE(count_code_points(video->title), 499u);
    // What tasks.process_video_task hands on, read as the task that it queues reads it.
    CreateSegments payload{video->video_id,
                           video->user_id,
                           {"processed/" + id + "/segment_001.mp4"},
                           VideoMetadata{video->title, video->tags, video->filename, {}}};
    EXPECT_NO_THROW(decode<CreateSegments>(std::string_view(encode(payload)))) << video->title;
  }
}

TEST_F(UploadTest, TheAddressOfACompletedUploadTakesNoBytes) {
  OF_EMBEDDED_ENGINES("S3 takes bytes until the address expires: ADR 15");
  auto ticket = initiate();
  std::string url = ticket.text("presigned_url"), key = ticket.text("s3_key");
  EXPECT_EQ(put_bytes(url, "first").status, 200);
  EXPECT_EQ(put_bytes(url, "second").status, 200) << "until it is completed";
  ASSERT_EQ(post("/api/upload/complete", completion(ticket.text("job_id"), key)).status, 200);
  EXPECT_EQ(put_bytes(url, "third").status, 409);
  EXPECT_EQ(services().objects.read_object(key, 0, 100), "second");
  EXPECT_EQ(count_unfinished(), 0u);
}

TEST_F(UploadTest, CompletingTwiceQueuesOnce) {
  std::string id = make_video();
  std::string key = services().videos.find_video(id)->bucket_location;
  auto again = post("/api/upload/complete", completion(id, key));
  EXPECT_EQ(again.status, 200) << again.body;
  EXPECT_EQ(again.text("status"), "QUEUED");
  EXPECT_EQ(waiting_tasks().size(), 1u);
  EXPECT_EQ(post("/api/upload/complete", completion(id, key)).status, 200);
  EXPECT_EQ(waiting_tasks().size(), 0u);
}

TEST_F(UploadTest, FiftyCompletionsAtOnceMakeOneVideoAndOneTask) {
  auto ticket = initiate();
  std::string id = ticket.text("job_id");
  put_bytes(ticket.text("presigned_url"), "bytes");
  std::vector<std::string> answers(50);
  {
    std::vector<std::jthread> threads;
    for (auto& body : answers)
      threads.emplace_back(
          [&] { body = post("/api/upload/complete", completion(id, ticket.text("s3_key"))).body; });
  }
  for (const auto& body : answers) EXPECT_EQ(body, answers[0]);
  EXPECT_EQ(boost::json::parse(answers[0]).at("status"), "QUEUED");
  EXPECT_EQ(waiting_tasks().size(), 1u);
  EXPECT_EQ(get("/api/videos")["total_count"], 1);
}

TEST_F(UploadTest, CompletingAgainQueuesWhatACrashLeftUnqueued) {
  auto ticket = initiate();
  std::string id = ticket.text("job_id");
  put_bytes(ticket.text("presigned_url"), "bytes");
  // As a server leaves it that dies between record and queue.
  Video video;
  video.video_id = id;
  video.user_id = "alice";
  video.bucket_location = ticket.text("s3_key");
  video.upload_date = video.updated_at = now_text();
  ASSERT_TRUE(services().videos.create_video(video));
  ASSERT_EQ(waiting_tasks().size(), 0u);
  EXPECT_EQ(post("/api/upload/complete", completion(id, ticket.text("s3_key"))).status, 200);
  EXPECT_EQ(waiting_tasks().size(), 1u);
}

TEST_F(UploadTest, AJobThatIsOverIsNotQueuedAgain) {
  std::string id = make_video();
  std::string key = services().videos.find_video(id)->bucket_location;
  services().queue.revoke("process-" + id);
  JobProgress over;
  over.job_id = id;
  over.stage = "completed";
  over.progress_percentage = 100;
  over.timestamp = now_text();
  ASSERT_TRUE(services().videos.put_progress(over));
  auto again = post("/api/upload/complete", completion(id, key));
  EXPECT_EQ(again.text("status"), "COMPLETED");
  EXPECT_EQ(waiting_tasks().size(), 0u);
}

TEST_F(UploadTest, WhatIsNotThereCannotBeCompleted) {
  auto ticket = initiate("a.mp4", "video/mp4", 5);
  std::string id = ticket.text("job_id"), key = ticket.text("s3_key");
  EXPECT_EQ(post("/api/upload/complete", completion(id, key)).status, 409);
  put_bytes(ticket.text("presigned_url"), "12345");
  auto wrong = post("/api/upload/complete", completion(id, key, "\"file_size\":6"));
  EXPECT_EQ(wrong.status, 409);
  EXPECT_NE(wrong.text("detail").find("5 bytes"), std::string::npos) << wrong.body;
  EXPECT_FALSE(services().videos.find_video(id));
  EXPECT_EQ(waiting_tasks().size(), 0u);
  EXPECT_EQ(post("/api/upload/complete", completion(id, key, "\"file_size\":5")).status, 200);
  auto other = post("/api/upload/complete", completion(id, "uploads/" + id + "/other.mp4"));
  EXPECT_EQ(other.status, 409) << other.body;
}

TEST_F(UploadTest, SomebodyElsesUploadIsAbsent) {
  auto ticket = initiate();
  std::string id = ticket.text("job_id"), key = ticket.text("s3_key");
  put_bytes(ticket.text("presigned_url"), "bytes");
  auto parts =
      post("/api/upload/initiate-multipart", R"({"filename":"b.mp4","content_type":"","file_size":1})");
  std::string upload =
      R"("upload_id":")" + parts.text("upload_id") + R"(","s3_key":")" + parts.text("s3_key") + "\"";
  struct Attempt {
    const char* route;
    std::string body;
  };
  const std::vector<Attempt> attempts = {
      {"/api/upload/complete", completion(id, key)},
      {"/api/upload/complete-multipart", completion(id, key)},
      {"/api/video/analyze-duration", R"({"s3_key":")" + key + "\"}"},
      {"/api/videos/url", R"({"bucket_location":")" + key + "\"}"},
      {"/api/upload/part", "{" + upload + R"(,"part_number":1})"},
      {"/api/upload/finalize-multipart", "{" + upload + R"(,"parts":[{"PartNumber":1,"ETag":"x"}]})"},
      {"/api/upload/abort-multipart", "{" + upload + "}"},
  };
  for (const auto& attempt : attempts) {
    EXPECT_EQ(post(attempt.route, attempt.body, "bob").status, 404) << attempt.route;
    EXPECT_EQ(post(attempt.route, attempt.body, "").status, 401) << attempt.route;
    std::string named = attempt.body.substr(0, attempt.body.size() - 1) + ",\"user_id\":\"alice\"}";
    EXPECT_EQ(post(attempt.route, named, "bob").status, 403) << attempt.route;
  }
  EXPECT_EQ(post("/api/upload/abort-multipart", "{" + upload + "}")["aborted"], true) << "it was still there";
  EXPECT_FALSE(services().videos.find_video(id));
}

TEST_F(UploadTest, KeysThatAreNobodysAndKeysThatAreNoKeys) {
  auto ticket = initiate();
  std::string id = ticket.text("job_id");
  for (const std::string& key :
       {std::string("uploads/unknown/a.mp4"), std::string("elsewhere/a.mp4"), "uploads/" + id,
        std::string("uploads"), std::string("segments.db"), "other/" + id + "/a.mp4"})
    EXPECT_EQ(post("/api/upload/complete", completion(id, key)).status, 404) << key;
  for (const std::string& key :
       {std::string("../segments.db"), "uploads/" + id + "/../../x", "uploads/" + id + "//x",
        "/uploads/" + id + "/x", std::string("a\\b"), std::string("a\nb"), std::string(901, 'k'),
        std::string(), std::string("uploads/\0/x", 11)})
    EXPECT_EQ(post("/api/upload/complete", completion(id, key)).status, 422) << key;
  auto other = initiate();
  put_bytes(other.text("presigned_url"), "bytes");
  auto mixed = post("/api/upload/complete", completion(id, other.text("s3_key")));
  EXPECT_EQ(mixed.status, 422);
  EXPECT_TRUE(mixed.has_fault("/s3_key")) << mixed.body;
}

TEST_F(UploadTest, EveryFilenameGetsASafeKey) {
  const std::vector<std::string> names = {"",
                                          ".",
                                          "..",
                                          "../../etc/passwd",
                                          "..\\..\\boot.ini",
                                          "/",
                                          "a/b/c.mp4",
                                          "C:\\Videos\\my film.MOV",
                                          ".hidden.mp4",
                                          "%00.mp4",
                                          "%2e%2e%2fx",
                                          "line\nbreak.mp4",
                                          "a?b#c&d=e.mp4",
                                          "quote\"'<>.mp4",
                                          "🎬 Größe 映画.mp4",
                                          std::string(900, 'x') + ".mp4",
                                          "🎬" + std::string(146, 'x') + "🎬🎬.mp4",
                                          "-rf",
                                          "con",
                                          "a.mp4.exe"};
  for (const auto& name : names) {
    auto ticket = initiate(name);
    ASSERT_EQ(ticket.status, 200) << name << ticket.body;
    std::string key = ticket.text("s3_key");
    EXPECT_EQ(fault_of_object_key(key), nullptr) << key;
    EXPECT_EQ(key.find("uploads/" + ticket.text("job_id") + "/"), 0u);
    EXPECT_EQ(std::count(key.begin(), key.end(), '/'), 2) << key;
    EXPECT_EQ(put_bytes(ticket.text("presigned_url"), name).status, 200) << key;
    EXPECT_EQ(services().objects.read_object(key, 0, 10'000), name);
    EXPECT_EQ(post("/api/upload/complete",
                   completion(ticket.text("job_id"), key, "\"filename\":" + json_text(name)))
                  .status,
              200);
  }
  EXPECT_EQ(get("/api/videos")["total_count"], static_cast<std::int64_t>(names.size()));
  EXPECT_TRUE(initiate(std::string("nul\0byte.mp4", 12)).has_fault("/filename"));
  EXPECT_EQ(initiate("C:\\Videos\\my film.MOV").text("s3_key").substr(35), "my_film.MOV");
}

TEST_F(UploadTest, SizesAreBounded) {
  settings().max_upload_bytes = 1'000;
  rebuild();
  EXPECT_EQ(initiate("a.mp4", "video/mp4", 1'001).status, 413);
  EXPECT_EQ(post("/api/upload/initiate-multipart", R"({"filename":"a.mp4","file_size":1001})").status, 413);
  auto unknown = initiate("a.mp4", "video/mp4", 0);
  const std::string url = unknown.text("presigned_url"), id = unknown.text("job_id");
  const std::string completed = completion(id, unknown.text("s3_key"));
  // Refused as they come; S3 takes what it is sent, and then they are refused when they are to be used.
  EXPECT_EQ(put_bytes(url, std::string(1'001, 'x')).status, is_cloud() ? 200 : 413);
  EXPECT_EQ(post("/api/upload/complete", completed).status, is_cloud() ? 413 : 409);
  EXPECT_FALSE(services().videos.find_video(id));
  EXPECT_EQ(put_bytes(url, std::string(1'000, 'x')).status, 200);
  EXPECT_EQ(post("/api/upload/complete", completed).status, 200);
  for (const char* size : {"-1", "9223372036854775808", "1e400", "\"5\"", "1.5", "[]", "true"})
    EXPECT_GE(
        post("/api/upload/initiate", std::string(R"({"filename":"a.mp4","file_size":)") + size + "}").status,
        400)
        << size;
  EXPECT_EQ(post("/api/upload/initiate", R"({"filename":"a.mp4","file_size":-1})").status, 422);
}

TEST_F(UploadTest, InitiationNamesEveryFault) {
  auto answer = post("/api/upload/initiate", R"({"content_type":7,"file_size":"big","surprise":1})");
  EXPECT_EQ(answer.status, 422);
  for (const char* pointer : {"/filename", "/content_type", "/file_size", "/surprise"})
    EXPECT_TRUE(answer.has_fault(pointer)) << answer.body;
  EXPECT_EQ(initiate("a.mp4", "no type").status, 422);
  EXPECT_EQ(initiate("a.mp4", "video/mp4\r\nX-Evil: 1").status, 422);
  for (const char* body : {"", "{", "[]", "null", "\"x\"", "{\"filename\":\"\xff\"}"}) {
    int status = post("/api/upload/initiate", body).status;
    EXPECT_TRUE(status == 400 || status == 422) << body << status;
  }
  EXPECT_EQ(call("POST", "/api/upload/initiate", "filename=a", "alice",
                 {{"content-type", "application/x-www-form-urlencoded"}})
                .status,
            415);
}

TEST_F(UploadTest, CompletionNamesEveryFaultAtOnceAndChangesNothing) {
  auto ticket = initiate();
  std::string id = ticket.text("job_id"), key = ticket.text("s3_key");
  put_bytes(ticket.text("presigned_url"), "bytes");
  auto answer = post("/api/upload/complete",
                     completion(id, key,
                                R"("cutting_options":{"type":"random","min_duration":9,"max_duration":3},
          "text_strategy":"loud","text_input":{"base_text":5},"file_size":-1,"surprise":true)"));
  EXPECT_EQ(answer.status, 422);
  for (const char* pointer : {"/cutting_options/max_duration", "/text_strategy", "/text_input/base_text",
                              "/file_size", "/surprise"})
    EXPECT_TRUE(answer.has_fault(pointer)) << pointer << answer.body;
  for (const char* cutting :
       {R"({"type":"spiral"})", R"({"type":"fixed","duration_seconds":0})",
        R"({"type":"fixed","duration_seconds":-3})", R"({"type":"fixed","duration_seconds":"20"})",
        R"({"type":"fixed","duration_seconds":1e400})", R"({"type":"marks"})",
        R"({"type":"marks","marks":[[5,1]]})", R"({"type":"marks","marks":[[1]]})", R"({"other":1})", "[]",
        "7", "\"fixed\""})
    EXPECT_GE(post("/api/upload/complete", completion(id, key, std::string("\"cutting_options\":") + cutting))
                  .status,
              400)
        << cutting;
  EXPECT_FALSE(services().videos.find_video(id));
  EXPECT_EQ(waiting_tasks().size(), 0u);
}

TEST_F(UploadTest, DurationIsAnalyzedOnEachKeystroke) {
  auto ticket = initiate();
  std::string key = ticket.text("s3_key");
  auto ask = [&](const std::string& options) {
    return post("/api/video/analyze-duration", "{\"s3_key\":" + json_text(key) + options + "}");
  };
  EXPECT_EQ(ask("").status, 404) << "no bytes yet";
  put_bytes(ticket.text("presigned_url"), "bytes");
  auto fixed = ask(R"(,"cutting_options":{"type":"fixed","duration_seconds":20})");
  ASSERT_EQ(fixed.status, 200) << fixed.body;
  EXPECT_EQ(fixed["num_segments"], 4);
  EXPECT_EQ(fixed["total_duration"].to_number<double>(), 65.0);
  EXPECT_EQ(fixed["segment_durations"].as_array().size(), 4u);
  EXPECT_EQ(ask(R"(,"cutting_options":{"type":"fixed","duration_seconds":2})")["num_segments"], 33);
  // Cleared boxes, and nothing at all: the default of 30 s.
  for (const char* options :
       {"", R"(,"cutting_options":null)", R"(,"cutting_options":"")", R"(,"cutting_options":{})",
        R"(,"cutting_options":{"type":"fixed","duration_seconds":""})",
        R"(,"cutting_options":{"type":"","duration_seconds":null})"})
    EXPECT_EQ(ask(options)["num_segments"], 3) << options;
  auto random = ask(R"(,"cutting_options":{"type":"random","min_duration":"","max_duration":""})");
  EXPECT_EQ(random.status, 200) << random.body;
  double sum = 0;
  for (const auto& duration : random["segment_durations"].as_array()) sum += duration.to_number<double>();
  EXPECT_NEAR(sum, 65, 0.001);
  // A video shorter than one cut is one segment.
  EXPECT_EQ(ask(R"(,"cutting_options":{"type":"fixed","duration_seconds":600})")["num_segments"], 1);
  EXPECT_EQ(ask(R"(,"cutting_options":{"type":"fixed","duration_seconds":-1})").status, 422);
}

TEST_F(UploadTest, WhatIsNoVideoIsSaidInOneSentence) {
  auto ticket = initiate();
  put_bytes(ticket.text("presigned_url"), "not a video");
  probe = [](const std::string&) -> MediaInfo {
    throw Error(ErrorKind::invalid, "The file is not a video.");
  };
  rebuild();
  auto answer = post("/api/video/analyze-duration", "{\"s3_key\":" + json_text(ticket.text("s3_key")) + "}");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.text("detail"), "The file is not a video.");
}

class MultipartTest : public UploadTest {
 protected:
  void SetUp() override {
    auto ticket = post("/api/upload/initiate-multipart",
                       R"({"filename":"big.mov","content_type":"video/quicktime","file_size":)" + size + "}");
    ASSERT_EQ(ticket.status, 200) << ticket.body;
    upload_id = ticket.text("upload_id");
    key = ticket.text("s3_key");
    job_id = ticket.text("job_id");
    EXPECT_GE(ticket["chunk_size"].as_int64(), 5 << 20);
    EXPECT_GE(ticket["max_concurrent_uploads"].as_int64(), 1);
  }
  std::string ids() const {
    return "\"upload_id\":" + json_text(upload_id) + ",\"s3_key\":" + json_text(key);
  }
  Answer presign_part(int number) {
    return post("/api/upload/part", "{" + ids() + ",\"part_number\":" + std::to_string(number) +
                                        ",\"content_type\":\"video/mp4\"}");
  }
  // The ETag as the page sends it back: without quotes.
  std::string put_part(int number, std::string_view bytes) {
    auto ticket = presign_part(number);
    EXPECT_EQ(ticket.status, 200) << ticket.body;
    EXPECT_EQ(ticket["part_number"], number);
    auto put = put_bytes(ticket.text("presigned_url"), bytes, "");
    EXPECT_EQ(put.status, 200) << put.body;
    std::string etag = put.header("ETag");
    return etag.size() > 2 ? etag.substr(1, etag.size() - 2) : "";
  }
  std::string stored() { return services().objects.read_object(key, 0, 100 << 20); }
  static std::string part(int number, const std::string& etag) {
    return "{\"PartNumber\":" + std::to_string(number) + ",\"ETag\":" + json_text(etag) + "}";
  }
  std::string finalization(const std::string& parts) const {
    return "{" + ids() + ",\"job_id\":" + json_text(job_id) + ",\"parts\":[" + parts +
           R"(],"user_id":"alice","filename":"big.mov","title":"Big","user_email":"a@b.c","content_type":"video/quicktime","file_size":)" +
           size + "}";
  }

  // Two parts that every store takes, and what they are together.
  const std::string hello =
      std::string(static_cast<std::size_t>(services().objects.traits().smallest_part), '-') + "hello ";
  const std::string world = "world", whole = hello + world;
  const std::string size = std::to_string(whole.size());
  std::string upload_id, key, job_id;
};

TEST_F(MultipartTest, NoPartsAreTakenOfAnUploadThatIsOver) {
  auto late = presign_part(2);
  const std::string one = part(1, put_part(1, whole));
  ASSERT_EQ(post("/api/upload/finalize-multipart", finalization(one)).status, 200);
  auto refused = presign_part(2);
  EXPECT_EQ(refused.status, 404);
  EXPECT_EQ(refused.text("detail"), "There is no such upload, or it was completed or aborted.");
  EXPECT_EQ(put_bytes(late.text("presigned_url"), "x", "").status, 404) << "through an older address neither";

  SetUp();
  late = presign_part(1);
  ASSERT_EQ(late.status, 200);
  ASSERT_EQ(post("/api/upload/abort-multipart", "{" + ids() + "}")["aborted"], true);
  EXPECT_EQ(presign_part(1).status, 404);
  EXPECT_EQ(put_bytes(late.text("presigned_url"), "x", "").status, 404);
  upload_id = std::string(32, '0');
  EXPECT_EQ(presign_part(1).status, 404);
  EXPECT_EQ(count_unfinished(), 0u);
}

TEST_F(MultipartTest, WhatIsLargerThanAnnouncedIsRefusedWhileItComes) {
  OF_EMBEDDED_ENGINES("S3 takes parts of any size; they are refused when they are to be joined");
  auto put = [&](int number, std::string_view bytes) {
    return put_bytes(presign_part(number).text("presigned_url"), bytes, "").status;
  };
  EXPECT_EQ(put(1, "twelve bytes"), 413);
  EXPECT_EQ(put(1, "hello "), 200);
  EXPECT_EQ(put(2, "worlds"), 413) << "with what is there already";
  EXPECT_EQ(put(1, "hello w"), 200) << "a part that is put again does not count twice";
  EXPECT_EQ(put(2, "orld"), 200);
  EXPECT_EQ(put(3, "!"), 413);
  EXPECT_EQ(count_unfinished(), 0u) << "nothing of what was refused stays";

  // Without a size there is no bound but the server's.
  auto ticket = post("/api/upload/initiate-multipart", R"({"filename":"big.mov"})");
  upload_id = ticket.text("upload_id");
  key = ticket.text("s3_key");
  EXPECT_EQ(put(1, std::string(100'000, 'x')), 200);
}

TEST_F(MultipartTest, FinalizedThenCompletedWithTheSamePartsAgain) {
  std::string parts = part(1, put_part(1, hello)) + "," + part(2, put_part(2, world));
  for (int i = 0; i < 2; ++i) {
    auto final = post("/api/upload/finalize-multipart", finalization(parts));
    ASSERT_EQ(final.status, 200) << final.body;
    EXPECT_EQ(final["file_size"], static_cast<std::int64_t>(whole.size()));
  }
  EXPECT_TRUE(stored() == whole);
  EXPECT_EQ(services().objects.find_object(key)->content_type, "video/quicktime");
  std::string body =
      completion(job_id, key,
                 "\"upload_id\":" + json_text(upload_id) + ",\"parts\":[" + parts +
                     R"(],"cutting_options":{"type":"fixed","duration_seconds":30},"user_id":"alice",
          "filename":"big.mov","title":"Big","user_email":"a@b.c","content_type":"video/quicktime","file_size":)" +
                     size);
  for (int i = 0; i < 2; ++i) {
    auto done = post("/api/upload/complete-multipart", body);
    ASSERT_EQ(done.status, 200) << done.body;
    EXPECT_EQ(done.text("video_id"), job_id);
  }
  EXPECT_EQ(waiting_tasks().size(), 1u);
  EXPECT_EQ(services().videos.find_video(job_id)->title, "Big");
  EXPECT_EQ(post("/api/upload/abort-multipart", "{" + ids() + "}")["aborted"], false);
  EXPECT_TRUE(services().objects.find_object(key));
  EXPECT_EQ(count_unfinished(), 0u);
}

TEST_F(MultipartTest, CompletedWithoutBeingFinalized) {
  std::string parts = part(1, put_part(1, whole));
  auto done =
      post("/api/upload/complete-multipart",
           completion(job_id, key, "\"upload_id\":" + json_text(upload_id) + ",\"parts\":[" + parts + "]"));
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_TRUE(stored() == whole);
}

TEST_F(MultipartTest, FaultyPartsAreAllNamed) {
  std::string etag = put_part(1, hello);
  auto answer = post("/api/upload/finalize-multipart", finalization(part(1, "other") + "," + part(2, etag)));
  EXPECT_EQ(answer.status, 422);
  EXPECT_TRUE(answer.has_fault("/parts/0/ETag")) << answer.body;
  EXPECT_TRUE(answer.has_fault("/parts/1")) << answer.body;
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization("")).status, 422);
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(R"({"PartNumber":"1","ETag":5})")).status,
            422);
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(part(1, etag) + "," + part(1, etag))).status,
            422);
  for (const char* number : {"0", "-1", "10001", "1.5", "\"1\"", "null"})
    EXPECT_EQ(post("/api/upload/part", "{" + ids() + ",\"part_number\":" + number + "}").status, 422)
        << number;
  EXPECT_FALSE(services().objects.find_object(key));
  std::string both = part(1, etag) + "," + part(2, put_part(2, world));
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(both)).status, 200);
}

TEST_F(MultipartTest, ARefusedListOfPartsLeavesTheUploadAsItWas) {
  std::string first = part(1, put_part(1, hello)), both = first + "," + part(2, put_part(2, world));
  const std::string ending =
      "\"upload_id\":" + json_text(upload_id) + ",\"file_size\":" + size + ",\"parts\":[";
  for (int i = 0; i < 2; ++i) {
    auto answer = post("/api/upload/finalize-multipart", finalization(first));
    EXPECT_EQ(answer.status, 409);
    EXPECT_EQ(answer.text("detail"), "The parts have " + std::to_string(hello.size()) + " bytes, not the " +
                                         size + " that were announced.");
    EXPECT_EQ(post("/api/upload/complete-multipart", completion(job_id, key, ending + first + "]")).status,
              409);
    EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(part(1, "other"))).status, 422);
    EXPECT_FALSE(services().objects.find_object(key));
  }
  auto final = post("/api/upload/finalize-multipart", finalization(both));
  EXPECT_EQ(final.status, 200) << final.body;
  // Nor does a wrong size that is named afterwards take away what was joined.
  auto other = "{" + ids() + ",\"file_size\":" + std::to_string(hello.size()) + ",\"parts\":[" + first + "]}";
  EXPECT_EQ(post("/api/upload/finalize-multipart", other).status, 409);
  EXPECT_TRUE(stored() == whole);
  EXPECT_EQ(post("/api/upload/complete-multipart", completion(job_id, key, ending + both + "]")).status, 200);
  EXPECT_EQ(count_unfinished(), 0u);
}

TEST_F(MultipartTest, AnAbortedUploadTakesNothingMore) {
  auto ticket = presign_part(2);
  std::string etag = put_part(1, hello);
  EXPECT_EQ(post("/api/upload/abort-multipart", "{" + ids() + "}")["aborted"], true);
  EXPECT_EQ(post("/api/upload/abort-multipart", "{" + ids() + "}")["aborted"], false);
  EXPECT_EQ(put_bytes(ticket.text("presigned_url"), "late", "").status, 404);
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(part(1, etag))).status, 404);
  EXPECT_FALSE(services().objects.find_object(key));
  EXPECT_EQ(count_unfinished(), 0u);
  EXPECT_EQ(post("/api/upload/finalize-multipart",
                 R"({"upload_id":"../../x","s3_key":")" + key + R"(","parts":[]})")
                .status,
            404);
}

TEST_F(MultipartTest, ThePartsTogetherAreBoundedToo) {
  settings().max_upload_bytes = static_cast<std::int64_t>(whole.size()) - 1;
  rebuild();
  std::string parts = part(1, put_part(1, hello)) + "," + part(2, put_part(2, world));
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(parts)).status, 413);
  EXPECT_FALSE(services().objects.find_object(key));
  settings().max_upload_bytes = static_cast<std::int64_t>(whole.size());
  rebuild();
  EXPECT_EQ(post("/api/upload/finalize-multipart", finalization(parts)).status, 200) << "the parts are there";
}

TEST_F(UploadTest, ChunksGrowSoThatTheirNumberSuffices) {
  settings().max_upload_bytes = 0;
  rebuild();
  std::int64_t size = std::int64_t{5} << 40;
  auto ticket = post("/api/upload/initiate-multipart",
                     "{\"filename\":\"a.mp4\",\"file_size\":" + std::to_string(size) + "}");
  ASSERT_EQ(ticket.status, 200) << ticket.body;
  std::int64_t chunk = ticket["chunk_size"].as_int64();
  EXPECT_LE((size + chunk - 1) / chunk, 10'000);
}

TEST_F(TrustedUploadTest, TheUserIsNamedAtCompletionOnly) {
  auto ticket = initiate("a.mp4", "video/mp4", 0, "");
  ASSERT_EQ(ticket.status, 200) << ticket.body;
  std::string id = ticket.text("job_id"), key = ticket.text("s3_key");
  put_bytes(ticket.text("presigned_url"), "bytes");
  EXPECT_EQ(post("/api/video/analyze-duration", "{\"s3_key\":" + json_text(key) + "}", "").status, 200);
  auto done = post("/api/upload/complete", completion(id, key, "\"user_id\":\"carol\""), "");
  ASSERT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(services().videos.find_video(id)->user_id, "carol");
  EXPECT_EQ(services().videos.find_owner(id), "carol");
  auto tasks = waiting_tasks();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].user_id, "carol");
  // The last step again under another name takes nothing away.
  EXPECT_EQ(post("/api/upload/complete", completion(id, key, "\"user_id\":\"mallory\""), "").status, 200);
  EXPECT_EQ(services().videos.find_video(id)->user_id, "carol");
  EXPECT_EQ(get("/api/videos", "")["total_count"], 1);
  EXPECT_EQ(get("/api/videos?user_id=carol", "")["total_count"], 1);
  EXPECT_EQ(get("/api/videos?user_id=dave", "")["total_count"], 0);
}

TEST_F(TrustedUploadTest, WithoutAnyNameItIsAnonymous) {
  std::string id = make_video("");
  EXPECT_EQ(services().videos.find_video(id)->user_id, "anonymous");
  EXPECT_EQ(post("/api/upload/complete", completion("nosuchjob", "uploads/nosuchjob/a.mp4"), "").status, 404);
}

}  // namespace
}  // namespace segments::testing
