#include "tasks/run_task.h"

#include <new>

#include "tasks/test_world.h"

namespace segments::testing {
namespace {

class RunTaskTest : public WorldTest {};

TEST_F(RunTaskTest, WhatTakesTooMuchMemoryFailsForGoodWithOneSentence) {
  world.create_video("v1", sample_video(3));
  world.services.probe = [](const std::string&) -> MediaInfo { throw std::bad_alloc(); };
  LeasedTask task;
  task.id = "process-v1";
  task.name = "tasks.process_video_task";
  task.arguments = R"({"s3_input_key":"uploads/v1/film.mov","job_id":"v1"})";
  std::string work = (folder.path / "run").string();
  fs::create_directories(work);
  auto outcome = run_task(task, world.services, work);
  EXPECT_EQ(outcome.ending, TaskEnding::failure) << "it would be too much again";
  EXPECT_EQ(outcome.error, "The task needs more memory than is allowed.");
}

}  // namespace
}  // namespace segments::testing
