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
  for (const std::string& id :
       {std::string("running"), std::string("done"), std::string("unknown/.."), std::string(500, '/')}) {
    fs::path path = run_folder(work, id, 7);
    EXPECT_EQ(path.parent_path(), work);
    fs::create_directories(path);
    std::ofstream(path / "piece") << "x";
  }
  queue->finish(done, "1");
  fs::create_directory(work / "not-ours");
  remove_old_run_folders(work, *queue);
  EXPECT_EQ(std::distance(fs::directory_iterator(work), {}), 3);
  EXPECT_TRUE(fs::exists(work / "not-ours"));
  EXPECT_TRUE(fs::exists(run_folder(work, running.id, 7)));
  remove_old_run_folders(folder / "absent", *queue);
}

TEST_F(WorkerTest, of_many_folders_each_that_there_is_is_removed) {
  fs::path work = options.work_dir;
  for (std::ptrdiff_t others : {0, 1, 100}) {
    std::vector<std::string> folders;
    for (int run = 0; run < 40; ++run) folders.push_back(run_folder(work, "a/task", run));
    remove_run_folders(folder / "absent", folders);
    for (int run : {0, 7, 39}) fs::create_directories(folders[run] + "/pieces");
    for (std::ptrdiff_t i = 0; i < others; ++i) fs::create_directory(work / std::to_string(i));
    remove_run_folders(work, folders);
    EXPECT_EQ(std::distance(fs::directory_iterator(work), {}), others);
    for (std::ptrdiff_t i = 0; i < others; ++i) fs::remove(work / std::to_string(i));
  }
}

TEST_F(WorkerTest, a_folder_is_removed_where_there_is_one) {
  fs::path work = options.work_dir;
  auto empty = run_folder(work, "task", 1), full = run_folder(work, "task", 2),
       never = run_folder(work, "task", 3);
  EXPECT_NE(empty, full) << "runs of one task never share a folder";
  fs::create_directories(empty);
  fs::create_directories(full + "/pieces");
  std::ofstream(full + "/pieces/1") << "x";
  remove_run_folders(work, {empty, full, never});
  EXPECT_TRUE(work_dir_is_empty());
  EXPECT_TRUE(fs::exists(work));
}

}  // namespace segments
