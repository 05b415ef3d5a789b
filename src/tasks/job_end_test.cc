#include "tasks/job_end.h"

#include "queue/task_names.h"
#include "tasks/create_segments_from_video.h"
#include "tasks/process_video.h"
#include "tasks/run_task.h"
#include "tasks/test_world.h"

namespace segments::testing {
namespace {

constexpr const char* process_arguments =
    R"({"s3_input_key":"uploads/v1/film.mov","job_id":"v1","cutting_options":{"type":"fixed","duration_seconds":2,"mode":"keyframe"}})";

// A video that is cut, and whose records are then made by a worker's steps on the real queue.
class JobEndTest : public WorldTest {
 protected:
  void cut() {
    world.create_video("v1", sample_video(6));
    world.run(process_video_task, process_arguments, process_task_id("v1"));
    ASSERT_EQ(video().status, VideoStatus::COMPLETED);
  }
  Video video() { return *world.services.videos.find_video("v1"); }
  std::size_t records() { return world.services.segments.list_video_segments("v1", "alice", {}).size(); }
  std::vector<std::string> events() {
    std::vector<std::string> types;
    for (const auto& event : world.services.events.list_events({{}, "v1"}, 0, 1'000))
      if (event.type != "job.progress") types.push_back(event.type);
    return types;
  }

  // Leases the one task that waits, runs it and records how it ended, without retries.
  void work_once() {
    auto tasks = world.services.queue.lease_tasks("w", 10, 60'000);
    ASSERT_EQ(tasks.size(), 1u);
    fs::path work = folder.path / "run";
    fs::create_directories(work);
    auto outcome = run_task(tasks[0], world.services, work);
    fs::remove_all(work);
    if (outcome.error.empty())
      EXPECT_TRUE(world.services.queue.finish(tasks[0], outcome.result));
    else
      EXPECT_TRUE(world.services.queue.fail(tasks[0], outcome.error));
  }
  // Tells what was given up, as the worker does; how many tasks.
  std::size_t tell(bool settle = true) {
    auto told = world.services.queue.lease_given_up(10, settle ? 60'000 : 0);
    for (const auto& [task, error, revoked] : told) {
      give_up_task(task, world.services, error, revoked);
      if (settle) {
        EXPECT_TRUE(world.services.queue.settle_given_up(task));
      }
    }
    return told.size();
  }
  void fail_records() {
    world.services.probe = [](const std::string&) -> MediaInfo {
      throw Error(ErrorKind::invalid, "It cannot be read.");
    };
    work_once();
    world.services.probe = probe_media;
  }
};

TEST_F(JobEndTest, JobWhoseRecordsCannotBeStoredFailsAndCompletesWhenTheyAre) {
  cut();
  fail_records();
  EXPECT_EQ(video().status, VideoStatus::COMPLETED)
      << "failure is shown when the task is given up, not before";
  auto pieces = video().output_s3_urls;
  ASSERT_EQ(tell(), 1u);
  EXPECT_EQ(video().status, VideoStatus::FAILED);
  EXPECT_EQ(video().error_message, "The clips were cut, but their records could not be stored.");
  EXPECT_EQ(video().message, video().error_message);
  EXPECT_EQ(video().progress, 100);
  EXPECT_EQ(video().output_s3_urls, pieces);
  EXPECT_EQ(world.keys("processed/v1/"), pieces);
  EXPECT_EQ(records(), 0u);

  ASSERT_TRUE(world.services.queue.requeue_dead_letter(create_segments_task_id("v1")));
  EXPECT_EQ(video().status, VideoStatus::FAILED) << "not before they are there";
  work_once();
  EXPECT_EQ(tell(), 0u);
  EXPECT_EQ(video().status, VideoStatus::COMPLETED);
  EXPECT_EQ(video().error_message, std::nullopt);
  EXPECT_EQ(video().message, "3 segments are ready");
  EXPECT_EQ(video().progress, 100);
  EXPECT_EQ(records(), 3u);
  EXPECT_EQ(events(), (std::vector<std::string>{"job.completed", "job.failed", "job.completed"}));
}

TEST_F(JobEndTest, BeingToldTwiceMarksOnce) {
  cut();
  fail_records();
  ASSERT_EQ(tell(false), 1u);
  ASSERT_EQ(tell(), 1u);
  EXPECT_EQ(events(), (std::vector<std::string>{"job.completed", "job.failed"}));
}

TEST_F(JobEndTest, LateTellingDoesNotFailAJobWhoseRecordsAreThere) {
  cut();
  fail_records();
  auto told = world.services.queue.lease_given_up(10, 60'000);
  ASSERT_EQ(told.size(), 1u);
  ASSERT_TRUE(world.services.queue.requeue_dead_letter(told[0].task.id));
  give_up_task(told[0].task, world.services, told[0].error, false);
  EXPECT_EQ(video().status, VideoStatus::COMPLETED) << "it is about to run again";
  work_once();
  give_up_task(told[0].task, world.services, told[0].error, false);
  EXPECT_EQ(video().status, VideoStatus::COMPLETED);
  EXPECT_EQ(records(), 3u);
}

TEST_F(JobEndTest, CuttingHandedOutAgainKeepsThePiecesOfAJobWithoutRecords) {
  cut();
  fail_records();
  ASSERT_EQ(tell(), 1u);
  auto pieces = world.keys("processed/v1/");
  world.services.probe = [](const std::string&) -> MediaInfo {
    throw std::logic_error("nothing is probed again");
  };
  world.run(process_video_task, process_arguments, process_task_id("v1"));
  give_up_video(process_arguments, world.services, "The worker died 5 times while running it.", false);
  EXPECT_EQ(video().status, VideoStatus::FAILED);
  EXPECT_EQ(video().output_s3_urls, pieces);
  EXPECT_EQ(world.keys("processed/v1/"), pieces);
  // Its records are made as soon as the queue knows nothing of the failed task any more.
  world.services.probe = probe_media;
  ASSERT_TRUE(world.services.queue.requeue_dead_letter(create_segments_task_id("v1")));
  work_once();
  EXPECT_EQ(video().status, VideoStatus::COMPLETED);
}

TEST_F(JobEndTest, OtherTasksAboutTheVideoDoNotTouchTheJob) {
  cut();
  work_once();
  ASSERT_EQ(records(), 3u);
  for (std::string user : {"alice", "mallory"}) {
    CreateSegments other{"v1", user, {"processed/v1/segment_999.mp4"}, {}};
    NewTask task = make_task(create_segments_task, encode(other), user);
    task.id = "other-" + user;
    world.services.queue.enqueue(task);
    work_once();
    ASSERT_EQ(tell(), 1u);
    EXPECT_EQ(video().status, VideoStatus::COMPLETED);
  }
}

TEST_F(JobEndTest, SuccessOfOtherKeysDoesNotCompleteTheJob) {
  cut();
  fail_records();
  ASSERT_EQ(tell(), 1u);
  world.run(create_segments_task,
            encode(CreateSegments{"v1", "alice", {"processed/v1/segment_001.mp4"}, {}}));
  EXPECT_EQ(records(), 1u);
  EXPECT_EQ(video().status, VideoStatus::FAILED);
}

TEST_F(JobEndTest, RevokingTheRecordsOrRemovingTheVideoMarksNothing) {
  cut();
  auto tasks = world.services.queue.lease_tasks("w", 10, 60'000);
  ASSERT_EQ(tasks.size(), 1u);
  ASSERT_TRUE(world.services.queue.revoke(tasks[0].id));
  world.services.queue.hand_back(tasks[0]);
  ASSERT_EQ(tell(), 1u);
  EXPECT_EQ(video().status, VideoStatus::COMPLETED);
  world.services.videos.remove_video("v1");
  EXPECT_NO_THROW(give_up_task(tasks[0], world.services, "No.", false));
  EXPECT_FALSE(world.services.videos.find_video("v1"));
}

TEST_F(JobEndTest, JobThatFailedBeforeItWasWholeIsNotCompletedByRecords) {
  world.create_video("v1", sample_video(3));
  give_up_video(process_arguments, world.services, "It failed.", false);
  EXPECT_FALSE(lacks_records(video()));
  std::vector<std::string> keys{"processed/v1/segment_001.mp4"};
  world.put_object(keys[0], sample_video(3));
  world.services.videos.update_video("v1", {}, keys, {});
  world.run(create_segments_task, encode(CreateSegments{"v1", "alice", keys, {}}));
  EXPECT_EQ(video().status, VideoStatus::FAILED);
}

}  // namespace
}  // namespace segments::testing
