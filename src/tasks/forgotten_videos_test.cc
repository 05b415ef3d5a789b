#include "tasks/forgotten_videos.h"

#include "tasks/test_world.h"

namespace segments::testing {
namespace {

class ForgottenVideosTest : public WorldTest {
 protected:
  void create(const std::string& id, const std::string& arguments) {
    Video video;
    video.video_id = id;
    video.user_id = "alice";
    video.upload_date = video.updated_at = format_time(uploaded);
    ASSERT_TRUE(world.services.videos.create_video(video, arguments));
  }
  const Millis uploaded = 1'795'000'000'000;
};

TEST_F(ForgottenVideosTest, AreQueuedOnceWithWhatWasStored) {
  create("v1", R"({"job_id":"v1"})");
  EXPECT_EQ(queue_forgotten_videos(world.services, uploaded + 1'000), 0) << "somebody is about to queue it";
  EXPECT_EQ(queue_forgotten_videos(world.services, uploaded + 10'000), 1);
  EXPECT_EQ(queue_forgotten_videos(world.services, uploaded + 10'000), 0);
  auto tasks = world.services.queue.lease_tasks("w", 5, 60'000);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "process-v1");
  EXPECT_EQ(tasks[0].name, "tasks.process_video_task");
  EXPECT_EQ(tasks[0].arguments, R"({"job_id":"v1"})");
  EXPECT_EQ(tasks[0].user_id, "alice");
  EXPECT_EQ(tasks[0].max_retries, 3);
  EXPECT_EQ(tasks[0].time_limit_s, 12 * 3600);
  world.services.queue.fail(tasks[0], "No.");
  EXPECT_EQ(queue_forgotten_videos(world.services, uploaded + 10'000), 0) << "its owner is yet to be told";
}

// As where a Python worker failed it: what the queue knows is all there is.
TEST_F(ForgottenVideosTest, AreGivenUpWhereTheirTasksEndWasNotTold) {
  auto& queue = world.services.queue;
  create("a-unreadable", "{}");
  for (std::string id : {"failed", "revoked"})
    create(id, R"({"s3_input_key":"uploads/)" + id + R"(/film.mov","job_id":")" + id + R"("})");
  ASSERT_EQ(queue_forgotten_videos(world.services, uploaded + 10'000), 3);
  for (const auto& task : queue.lease_tasks("w", 5, 60'000))
    EXPECT_EQ(task.id == "process-revoked" ? queue.revoke(task.id) : queue.fail(task, "The disk is full."),
              true);
  for (const auto& told : queue.lease_given_up(5, 60'000)) EXPECT_TRUE(queue.settle_given_up(told.task));

  EXPECT_EQ(queue_forgotten_videos(world.services, uploaded + 10'000), 0);
  auto failed = world.services.videos.find_video("failed");
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->status, VideoStatus::FAILED);
  EXPECT_EQ(failed->error_message, "The disk is full.");
  EXPECT_EQ(world.services.videos.find_video("revoked")->status, VideoStatus::CANCELLED);
  EXPECT_EQ(world.services.videos.find_video("a-unreadable")->status, VideoStatus::QUEUED);
}

TEST_F(ForgottenVideosTest, AreAllFoundHoweverManyWait) {
  for (int i = 0; i < 450; ++i) create("v" + std::to_string(i), "{}");
  world.services.queue.enqueue({.id = "process-v7", .name = "tasks.process_video_task"});
  EXPECT_EQ(queue_forgotten_videos(world.services, uploaded + 10'000), 449);
  EXPECT_TRUE(world.services.queue.find_task("process-v449"));
}

}  // namespace
}  // namespace segments::testing
