#include "media/child.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "base/error.h"
#include "base/time.h"
#include "media/test_media.h"

namespace segments {
namespace {

ChildResult run(const std::string& script, const ChildLimits& limits = {}, std::stop_token stop = {}) {
  return run_child({"sh", "-c", script}, "", limits, std::move(stop));
}

// Waits until the process is gone or only its remains are left to be reaped by init.
bool is_gone_soon(pid_t pid) {
  for (Millis end = steady_ms() + 20'000; steady_ms() < end; usleep(10'000)) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(stat, text);
    auto after_name = text.rfind(") ");
    if (after_name == std::string::npos || text[after_name + 2] == 'Z') return true;
  }
  return false;
}

pid_t read_pid(const std::string& file) {
  for (Millis end = steady_ms() + 20'000; steady_ms() < end; usleep(10'000)) {
    std::ifstream in(file);
    std::string line;
    // A whole line: the writer may be in the middle of it.
    if (std::getline(in, line) && !in.eof()) return std::stoi(line);
  }
  return -1;
}

TEST(ChildTest, tells_how_the_program_ended) {
  EXPECT_EQ(run("exit 0").exit_code, 0);
  EXPECT_EQ(run("exit 3").exit_code, 3);
  auto killed = run("kill -TERM $$");
  EXPECT_EQ(killed.exit_code, -1);
  EXPECT_EQ(killed.signal, SIGTERM);
  EXPECT_FALSE(killed.timed_out);
  EXPECT_EQ(run("echo so; echo why >&2").errors, "why\n");
}

TEST(ChildTest, keeps_the_end_of_many_errors) {
  auto result = run("i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done");
  EXPECT_LE(result.errors.size(), 16U * 1024);
  EXPECT_TRUE(result.errors.ends_with("line 19999\n"));
}

TEST(ChildTest, a_program_that_is_not_there_is_told) {
  EXPECT_THROW(run_child({"no-such-program"}, "", {}), Error);
  EXPECT_THROW(run_child({"/etc/passwd"}, "", {}), Error);
  EXPECT_THROW(run_child({"sh", "-c", "true"}, "/no/such/folder", {}), Error);
}

TEST(ChildTest, inherits_neither_descriptors_nor_environment_nor_masks) {
  TestFolder folder;
  std::ofstream secret(folder.file("secret"));
  setenv("MEDIA_TEST_SECRET", "x", 1);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  auto result = run(
      "ls /proc/self/fd | wc -l >&2; echo \"[$MEDIA_TEST_SECRET]\" >&2; grep SigBlk /proc/self/status >&2");
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  unsetenv("MEDIA_TEST_SECRET");
  EXPECT_EQ(result.errors, "4\n[]\nSigBlk:\t0000000000000000\n");  // ls has one for the folder itself
}

TEST(ChildTest, limits_memory) {
  EXPECT_EQ(run("ulimit -v >&2", {.memory_mb = 512}).errors, "524288\n");
}

TEST(ChildTest, a_timeout_kills_all_that_the_program_started) {
  TestFolder folder;
  auto result = run("(sh -c 'echo $$ > " + folder.file("pid") + "; exec sleep 600') & wait", {.seconds = 1});
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  EXPECT_TRUE(is_gone_soon(read_pid(folder.file("pid"))));
}

TEST(ChildTest, a_request_to_stop_kills_it) {
  TestFolder folder;
  std::stop_source source;
  std::jthread stopper([&] {
    read_pid(folder.file("pid"));
    source.request_stop();
  });
  auto result = run("echo $$ > " + folder.file("pid") + "; sleep 600", {}, source.get_token());
  EXPECT_TRUE(result.stopped);
  EXPECT_FALSE(result.timed_out);
}

TEST(ChildTest, a_program_that_closes_its_errors_is_waited_for) {
  EXPECT_EQ(run("exec 2>&-; sleep 0.2; exit 7").exit_code, 7);
}

TEST(ChildTest, what_the_program_leaves_behind_is_not_waited_for) {
  TestFolder folder;
  EXPECT_EQ(run("sleep 600 & echo $! > " + folder.file("pid") + "; exit 0").exit_code, 0);
  kill(read_pid(folder.file("pid")), SIGKILL);
}

// A process of its own that runs a child, killed by SIGKILL in one of two ways.
void expect_child_dies(bool whole_group) {
  TestFolder folder;
  std::string file = folder.file("pid");
  pid_t parent = fork();
  if (parent == 0) {
    setpgid(0, 0);
    run("echo $$ > " + file + "; exec sleep 600");
    _exit(0);
  }
  pid_t child = read_pid(file);
  ASSERT_GT(child, 0);
  EXPECT_EQ(getpgid(child), parent);
  kill(whole_group ? -parent : parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(is_gone_soon(child));
}
TEST(ChildTest, dies_with_our_process_group) {
  expect_child_dies(true);
}
TEST(ChildTest, dies_with_us_alone) {
  expect_child_dies(false);
}

TEST(ChildTest, many_threads_run_programs_at_once) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([i] {
      for (int round = 0; round < 10; ++round) EXPECT_EQ(run("exit " + std::to_string(i)).exit_code, i);
    });
  }
}

}  // namespace
}  // namespace segments
