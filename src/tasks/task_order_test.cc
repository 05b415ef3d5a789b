#include "queue/task_names.h"
#include "tasks/test_world.h"

namespace segments::testing {
namespace {

using TaskOrder = WorldTest;

TEST_F(TaskOrder, records_of_a_finished_video_come_before_the_next_videos) {
  for (const char* id : {"first", "second"}) {
    auto task = make_task(process_video_task, "{}", "ada");
    task.id = id;
    world.services.queue.enqueue(task);
  }
  world.services.queue.enqueue(make_task(create_segments_task, "{}", "ada"));
  std::vector<std::string> names;
  for (const auto& task : world.services.queue.lease_tasks("w", 3, 30'000)) names.push_back(task.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{create_segments_task, process_video_task, process_video_task}));
}

}  // namespace
}  // namespace segments::testing
