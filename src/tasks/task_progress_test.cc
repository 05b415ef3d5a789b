#include "tasks/task_progress.h"

#include "queue/task_names.h"
#include "tasks/create_segments_from_video.h"
#include "tasks/process_video.h"
#include "tasks/test_world.h"

namespace segments::testing {
namespace {

// What a task queues reaches it; how far the task is does not.
class DeafQueue : public EmbeddedQueue {
 public:
  using EmbeddedQueue::EmbeddedQueue;
  bool put_task_progress(std::string_view, double, std::string_view) override {
    ++asked;
    throw Error(ErrorKind::unavailable, "Redis did not answer in time.");
  }
  int asked = 0;
};

TEST(TaskProgress, LeavesAQueueThatFailsAloneForAWhile) {
  Folder folder;
  DeafQueue queue(folder.path / "deaf.db");
  TaskProgress progress(queue, "t");
  for (int i = 0; i < 100; ++i) progress.show(i, "Cutting");
  EXPECT_LT(queue.asked, 100);
  EXPECT_GE(queue.asked, 1);
}

TEST_F(WorldTest, ProgressThatCannotBeShownCostsNoTaskItsRun) {
  DeafQueue queue(folder.path / "deaf.db");
  auto& all = world.services;
  Services services{all.segments, all.videos,    all.events,  all.totals, all.objects, all.directory,
                    queue,        all.platforms, all.metrics, all.probe,  all.settings};
  world.create_video("v1", sample_video(2));
  TaskContext context{"task", 0, 3, (folder.path / "work").string()};
  process_video(R"({"s3_input_key":"uploads/v1/film.mov","job_id":"v1"})", services, context);
  EXPECT_GE(queue.asked, 1);
  EXPECT_EQ(all.videos.find_video("v1")->status, VideoStatus::COMPLETED);
  auto creation = queue.lease_tasks("w", 1, 60'000);
  ASSERT_EQ(creation.size(), 1u);
  int asked = queue.asked;
  create_segments_from_video(creation[0].arguments, services, context);
  EXPECT_GT(queue.asked, asked);
  EXPECT_TRUE(all.segments.find_segment("seg_v1_001"));
}

}  // namespace
}  // namespace segments::testing
