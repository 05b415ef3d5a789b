#include "worker/run_folder.h"

#include <iterator>

#include "worker/test_worker.h"

namespace segments {

TEST_F(WorkerTest, a_start_removes_folders_of_runs_that_are_over_only) {
  fs::path work = options.work_dir;
  enqueue("ok", "running");
  auto running = queue->lease_tasks("other", 1, 60'000).at(0);
  enqueue("ok", "done");
  auto done = queue->lease_tasks("other", 1, 60'000).at(0);
  LeasedTask unknown{.id = "unknown/..", .fence = 7}, long_id{.id = std::string(500, '/'), .fence = 9};
  for (const auto& task : {running, done, unknown, long_id}) {
    auto path = make_run_folder(work, task);
    EXPECT_EQ(path.parent_path(), work);
    std::ofstream(path / "piece") << "x";
  }
  queue->finish(done, "1");
  fs::create_directory(work / "not-ours");
  remove_old_run_folders(work, *queue);
  EXPECT_EQ(std::distance(fs::directory_iterator(work), {}), 3);
  EXPECT_TRUE(fs::exists(work / "not-ours"));
  EXPECT_TRUE(fs::exists(make_run_folder(work, running)));
  remove_old_run_folders(folder / "absent", *queue);
}

}  // namespace segments
