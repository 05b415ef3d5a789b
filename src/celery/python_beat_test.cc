// Debian's own `celery beat` as a producer: what it sends by its schedule are tasks to us.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "base/ids.h"
#include "base/time.h"
#include "celery/test_queue.h"
#include "queue/task_names.h"

namespace segments::celery {
namespace {

constexpr const char* schedule_py = R"py(
import os
from celery import Celery
app = Celery('schedule', broker=os.environ['BEAT_BROKER'])
app.conf.beat_schedule = {
    'sync': {'task': 'tasks.sync_social_media_metrics_task', 'schedule': 1.0,
             'kwargs': {'segment_id': 'seg_v1_001', 'platform': 'tiktok'}, 'options': {'expires': 600}},
    'batch': {'task': 'tasks.batch_sync_social_media_task', 'schedule': 1.0, 'args': ['ann']},
}
)py";

// Runs until the end of its scope.
class PythonBeat {
 public:
  explicit PythonBeat(const std::string& url) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "schedule.py") << schedule_py;
    pid_ = fork();
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (chdir(folder_.c_str()) != 0) _exit(126);
    int log = open("log", O_WRONLY | O_CREAT, 0600);
    dup2(log, 1);
    dup2(log, 2);
    unsetenv("LD_PRELOAD");
    setenv("BEAT_BROKER", url.c_str(), 1);
    execl("/usr/bin/python3", "python3", "-W", "ignore", "-m", "celery", "-A", "schedule", "beat", "-s",
          "state", nullptr);
    _exit(127);
  }
  ~PythonBeat() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }
  PythonBeat(const PythonBeat&) = delete;
  PythonBeat& operator=(const PythonBeat&) = delete;
  std::string log() const {
    std::ifstream in(folder_ / "log");
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("beat-" + make_id());
  pid_t pid_ = 0;
};

using PythonBeatTest = CeleryQueueTest;

TEST_F(PythonBeatTest, WhatItSendsByItsScheduleAreTasksToUs) {
  CeleryQueueOptions options;  // our four tasks
  options.node = "celery@test";
  OwnQueue own(url(), options);
  PythonBeat beat(url());
  std::map<std::string, std::set<std::string>> ids, arguments;
  auto is_enough = [&] { return ids[sync_metrics_task].size() >= 2 && ids[batch_sync_task].size() >= 2; };
  for (Millis until = steady_ms() + 90'000; !is_enough();) {
    ASSERT_LT(steady_ms(), until) << beat.log();
    for (const auto& task : own.queue.lease_tasks("w", 10, 30'000)) {
      ids[task.name].insert(task.id);
      arguments[task.name].insert(task.arguments);
      EXPECT_TRUE(own.queue.finish(task, "{}"));
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_EQ(arguments[sync_metrics_task],
            std::set<std::string>{R"({"segment_id":"seg_v1_001","platform":"tiktok"})"});
  EXPECT_EQ(arguments[batch_sync_task], std::set<std::string>{R"({"user_id":"ann"})"});
  expect_nothing_held();
}

}  // namespace
}  // namespace segments::celery
