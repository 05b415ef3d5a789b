#include "tasks/process_video.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <random>
#include <stop_token>
#include <thread>

#include "tasks/create_segments_from_video.h"
#include "tasks/outputs.h"
#include "tasks/test_world.h"

namespace segments::testing {
namespace {

constexpr const char* process = "tasks.process_video_task";
constexpr const char* create_segments = "tasks.create_segments_from_video_task";

std::string arguments(const std::string& id, double seconds = 2, const std::string& more = "") {
  return R"({"s3_input_key":"uploads/)" + id + R"(/film.mov","job_id":")" + id +
         R"(","cutting_options":{"type":"fixed","duration_seconds":)" + std::to_string(seconds) +
         R"(,"mode":"keyframe"})" + more + "}";
}

std::string kept_title(const boost::json::value& json) {
  return std::string(json.at("video_metadata").at("title").as_string());
}

class ProcessVideoTest : public WorldTest {
 protected:
  std::vector<std::string> outputs(const std::string& id) {
    std::vector<std::string> all;
    for (const char* folder : {"processed/", "thumbnails/", "audio/"})
      for (auto& key : world.keys(folder + id + "/")) all.push_back(key);
    return all;
  }
  VideoStatus status(const std::string& id) { return world.services.videos.find_video(id)->status; }
  bool cancel(const std::string& id) {
    JobProgress end;
    end.job_id = id;
    end.stage = "cancelled";
    end.timestamp = now_text();
    return world.services.videos.put_progress(end);
  }
  std::vector<LeasedTask> queued() { return world.services.queue.lease_tasks("test", 100, 60'000); }
  void expect_error(ErrorKind kind, const std::string& json) {
    try {
      world.run(process, json);
      FAIL() << "nothing was thrown";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
};

TEST_F(ProcessVideoTest, CutsUploadsMarksAndQueuesTheRecords) {
  world.create_video("v1", sample_video(6));
  auto result = boost::json::parse(world.run(process, arguments("v1")));
  EXPECT_EQ(result.at("status"), "completed");
  std::vector<std::string> pieces{"processed/v1/segment_001.mp4", "processed/v1/segment_002.mp4",
                                  "processed/v1/segment_003.mp4"};
  EXPECT_EQ(world.keys("processed/v1/"), pieces);
  EXPECT_EQ(world.keys("thumbnails/v1/").size(), 3u);
  EXPECT_TRUE(world.keys("audio/v1/").empty());
  EXPECT_TRUE(fs::is_empty(folder.path / "work"));

  auto video = *world.services.videos.find_video("v1");
  EXPECT_EQ(video.status, VideoStatus::COMPLETED);
  EXPECT_EQ(video.progress, 100);
  EXPECT_EQ(video.duration, 6);
  EXPECT_EQ(video.output_s3_urls, pieces);
  for (const auto& key : pieces)
    EXPECT_NEAR(probe_media(world.services.objects.readable_location(key)).duration, 2, 0.05);

  auto tasks = queued();
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].name, create_segments);
  EXPECT_EQ(tasks[0].id, "segments-v1");
  EXPECT_EQ(tasks[0].user_id, "alice");
  auto payload = boost::json::parse(tasks[0].arguments);
  EXPECT_EQ(kept_title(payload), "My film");
  EXPECT_EQ(payload.at("video_metadata").at("tags").as_array().size(), 2u);
  world.run(create_segments, tasks[0].arguments);
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "alice", {}).size(), 3u);
}

TEST_F(ProcessVideoTest, ProgressNeverFallsAndNamesEveryPhase) {
  world.create_video("v1", sample_video(6));
  world.run(process, arguments("v1"));
  double before = 0;
  std::vector<std::string> stages;
  for (const auto& event : world.services.events.list_events({{}, "v1"}, 0, 1'000)) {
    auto data = boost::json::parse(event.data);
    double percent = data.at("progress_percentage").to_number<double>();
    EXPECT_GE(percent, before);
    before = percent;
    std::string stage(data.at("stage").as_string());
    if (stages.empty() || stages.back() != stage) stages.push_back(stage);
    if (stage == "completed") {
      EXPECT_EQ(data.at("output_urls").as_array().size(), 3u);
      EXPECT_EQ(event.type, "job.completed");
    }
    if (stage == "processing_segment") {
      EXPECT_EQ(data.at("total_segments").as_int64(), 3);
    }
  }
  EXPECT_EQ(before, 100);
  EXPECT_EQ(stages, (std::vector<std::string>{"extracting", "segmenting", "processing_segment", "uploading",
                                              "completed"}));
}

TEST_F(ProcessVideoTest, ExactModeWithTextAndExtraAudio) {
  world.settings.extra_types = {"audio", "original"};
  world.create_video("v1", sample_video(3));
  world.run(
      process,
      R"({"s3_input_key":"uploads/v1/film.mov","job_id":"v1","user_id":"alice","text_strategy":"one_for_all",
    "cutting_options":{"type":"fixed","duration_seconds":1.5},"text_input":{"strategy":"one_for_all","base_text":"Hello"}})");
  EXPECT_EQ(world.keys("processed/v1/").size(), 2u);
  EXPECT_EQ(world.keys("audio/v1/").size(), 1u);
  auto tasks = queued();
  ASSERT_EQ(tasks.size(), 1u);
  world.run(create_segments, tasks[0].arguments);
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", SegmentType::audio).size(), 1u);
  EXPECT_EQ(world.services.segments.list_video_segments("v1", "", SegmentType::original).size(), 1u);
}

TEST_F(ProcessVideoTest, WhatIsNoVideoFailsWithOneSentenceAndLeavesNothing) {
  world.create_video("v1", sample_video(3));
  for (const std::string& bytes :
       {std::string("This is no video.\n"), std::string(), std::string(10'000, '\0')}) {
    world.put_bytes("uploads/v1/film.mov", bytes);
    expect_error(ErrorKind::invalid, arguments("v1"));
    EXPECT_NE(status("v1"), VideoStatus::FAILED) << "failure is shown when the task is given up, not before";
  }
  give_up_video(arguments("v1"), world.services, "The file is no video.", false);
  auto video = *world.services.videos.find_video("v1");
  EXPECT_EQ(video.status, VideoStatus::FAILED);
  EXPECT_EQ(video.error_message, "The file is no video.");
  EXPECT_TRUE(outputs("v1").empty());
  EXPECT_TRUE(queued().empty());
}

TEST_F(ProcessVideoTest, SoundAloneIsNoVideo) {
  fs::path sound = folder.path / "sound.m4a";
  ASSERT_TRUE(extract_audio(sample_video(3).string(), sound.string(), {}));
  world.create_video("v1", sound);
  expect_error(ErrorKind::invalid, arguments("v1"));
}

TEST_F(ProcessVideoTest, WrongArgumentsNameEveryFaultAndChangeNothing) {
  world.create_video("v1", sample_video(3));
  expect_error(ErrorKind::malformed, "{");
  try {
    world.run(
        process,
        R"({"s3_input_key":"../x","job_id":7,"surprise":1,"cutting_options":{"type":"fixed","duration_seconds":-1}})");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.faults().size(), 4u);
  }
  expect_error(ErrorKind::not_found, arguments("absent"));
  world.services.objects.remove_object("uploads/v1/film.mov");
  expect_error(ErrorKind::not_found, arguments("v1"));
  EXPECT_TRUE(outputs("v1").empty());
}

TEST_F(ProcessVideoTest, JobCancelledWhileItRunsIsNotResurrected) {
  world.create_video("v1", sample_video(6));
  world.services.probe = [&](const std::string& path) {
    EXPECT_TRUE(cancel("v1"));
    return probe_media(path);
  };
  auto result = boost::json::parse(world.run(process, arguments("v1")));
  EXPECT_EQ(result.at("status"), "cancelled");
  EXPECT_EQ(status("v1"), VideoStatus::CANCELLED);
  EXPECT_TRUE(outputs("v1").empty());
  EXPECT_TRUE(queued().empty());
  // Handed out again, it stays cancelled.
  world.services.probe = probe_media;
  world.run(process, arguments("v1"));
  EXPECT_EQ(status("v1"), VideoStatus::CANCELLED);
  EXPECT_TRUE(outputs("v1").empty());
}

TEST_F(ProcessVideoTest, JobCancelledAtAnyMomentEndsWholeOrWithNothing) {
  int cancelled = 0;
  for (int round = 0; round < 6; ++round) {
    std::string id = "v" + std::to_string(round);
    world.create_video(id, sample_video(6));
    std::jthread canceller([&](std::stop_token stop) {
      std::string key = round % 2 ? thumbnail_key(id, 1) : piece_key(id, 1, "mp4");
      while (!stop.stop_requested() && !world.services.objects.find_object(key)) std::this_thread::yield();
      cancel(id);
    });
    world.run(process, arguments(id, 1));
    canceller.request_stop();
    canceller.join();
    bool was_cancelled = status(id) == VideoStatus::CANCELLED;
    cancelled += was_cancelled;
    EXPECT_EQ(outputs(id).size(), was_cancelled ? 0u : 12u);
  }
  EXPECT_GT(cancelled, 0);
}

TEST_F(ProcessVideoTest, VideoDeletedWhileItRunsLeavesNothing) {
  world.create_video("v1", sample_video(3));
  world.services.probe = [&](const std::string& path) {
    world.services.videos.remove_video("v1");
    return probe_media(path);
  };
  auto result = boost::json::parse(world.run(process, arguments("v1")));
  EXPECT_EQ(result.at("status"), "removed");
  EXPECT_TRUE(outputs("v1").empty());
  EXPECT_FALSE(world.services.videos.find_video("v1"));
  EXPECT_TRUE(queued().empty());
}

TEST_F(ProcessVideoTest, CompletedJobOnlyQueuesTheRecordsAgain) {
  world.create_video("v1", sample_video(3));
  world.run(process, arguments("v1"));
  auto before = world.services.objects.list_objects("processed/v1/", "", 10);
  world.services.probe = [](const std::string&) -> MediaInfo {
    throw std::logic_error("nothing is probed again");
  };
  world.run(process, arguments("v1"));
  auto after = world.services.objects.list_objects("processed/v1/", "", 10);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].modified, after[i].modified);
  EXPECT_EQ(queued().size(), 1u);
}

TEST_F(ProcessVideoTest, FailedJobThatRunsAgainCompletes) {
  world.create_video("v1", sample_video(3));
  give_up_video(arguments("v1"), world.services, "It failed.", false);
  ASSERT_EQ(status("v1"), VideoStatus::FAILED);
  world.run(process, arguments("v1"));
  EXPECT_EQ(status("v1"), VideoStatus::COMPLETED);
}

TEST_F(ProcessVideoTest, GivingUpACompletedJobKeepsItsPiecesAndQueuesItsRecords) {
  world.create_video("v1", sample_video(3));
  world.run(process, arguments("v1"));
  auto kept = outputs("v1");
  give_up_video(arguments("v1"), world.services, "Revoked.", true);
  EXPECT_EQ(outputs("v1"), kept);
  EXPECT_EQ(status("v1"), VideoStatus::COMPLETED);
  EXPECT_EQ(queued().size(), 1u);
}

TEST_F(ProcessVideoTest, RevokedRunLeavesNothingAndIsCancelled) {
  world.create_video("v1", sample_video(3));
  world.put_bytes("processed/v1/segment_001.mp4", "half a run");
  world.put_bytes("thumbnails/v1/segment_001.jpg", "half a run");
  world.put_bytes("processed/v10/segment_001.mp4", "another video");
  give_up_video(arguments("v1"), world.services, "", true);
  EXPECT_EQ(status("v1"), VideoStatus::CANCELLED);
  EXPECT_TRUE(outputs("v1").empty());
  EXPECT_EQ(outputs("v10").size(), 1u);
}

TEST_F(ProcessVideoTest, CancelledJobShowsNoPiecesThatWereRemoved) {
  for (bool by_run : {true, false}) {
    std::string id = by_run ? "v1" : "v2";
    world.create_video(id, sample_video(3));
    world.services.videos.update_video(id, 3.0, std::vector<std::string>{"processed/segment_001.mp4"}, {});
    JobProgress end;
    end.job_id = id;
    end.stage = "cancelled";
    end.timestamp = now_text();
    ASSERT_TRUE(world.services.videos.put_progress(end));
    if (by_run)
      world.run(process, arguments(id));
    else
      give_up_video(arguments(id), world.services, "", true);
    auto video = world.services.videos.find_video(id);
    EXPECT_EQ(video->status, VideoStatus::CANCELLED);
    EXPECT_TRUE(video->output_s3_urls.empty());
  }
}

TEST_F(ProcessVideoTest, GivingUpRemovesManyPiecesInSeveralSteps) {
  world.create_video("v1", sample_video(3));
  for (int i = 0; i < 150; ++i)
    world.put_bytes("processed/v1/segment_" + std::to_string(i) + ".mp4", "piece");
  EXPECT_THROW(give_up_video(arguments("v1"), world.services, "It failed.", false), Error);
  EXPECT_EQ(status("v1"), VideoStatus::FAILED) << "whoever waits is told at once";
  EXPECT_EQ(outputs("v1").size(), 50u);
  EXPECT_NO_THROW(give_up_video(arguments("v1"), world.services, "It failed.", false));
  EXPECT_TRUE(outputs("v1").empty());
}

// No stores may be open in the parent when it forks, so this one is no WorldTest.
TEST(ProcessVideoCrash, KilledAtRandomMomentsItEndsInTheSameState) {
  Folder folder;
  { World(folder.path).create_video("v1", sample_video(6)); }
  std::mt19937 chance(20261122);
  int killed = 0;
  for (int round = 0; round < 14; ++round) {
    pid_t child = fork();
    if (child == 0) {
      setpgid(0, 0);
      World world(folder.path);
      world.run(process, arguments("v1", 1));
      for (const auto& task : world.services.queue.lease_tasks("child", 10, 1))
        world.run(create_segments, task.arguments);
      _exit(0);
    }
    setpgid(child, child);
    // Ever later moments of a run, however fast the machine is; where they hit does not matter to what must
    // hold afterwards.
    std::this_thread::sleep_for(std::chrono::milliseconds(chance() % (1 << std::min(round + 2, 9))));
    kill(-child, SIGKILL);
    int state = 0;
    ASSERT_EQ(waitpid(child, &state, 0), child);
    killed += WIFSIGNALED(state);
  }
  EXPECT_GT(killed, 0);

  World world(folder.path);
  world.put_bytes("processed/v1/segment_001.webm", "left by an earlier program");
  bool was_complete = world.services.videos.find_video("v1")->status == VideoStatus::COMPLETED;
  world.run(process, arguments("v1", 1));
  EXPECT_EQ(world.services.videos.find_video("v1")->status, VideoStatus::COMPLETED);
  EXPECT_EQ(world.keys("processed/v1/").size(), was_complete ? 7u : 6u);
  EXPECT_EQ(world.keys("thumbnails/v1/").size(), 6u);
  auto task = world.services.queue.find_task("segments-v1");
  ASSERT_TRUE(task);
  CreateSegments payload{"v1", "alice", world.services.videos.find_video("v1")->output_s3_urls, {}};
  world.run(create_segments, encode(payload));
  world.run(create_segments, encode(payload));
  auto records = world.services.segments.list_video_segments("v1", "alice", {});
  ASSERT_EQ(records.size(), 6u);
  double sum = 0;
  for (const auto& record : records) {
    auto object = world.services.objects.find_object(record.s3_key);
    ASSERT_TRUE(object);
    EXPECT_EQ(object->size, record.file_size);
    sum += record.duration;
  }
  EXPECT_NEAR(sum, 6, 0.2);
}

}  // namespace
}  // namespace segments::testing
