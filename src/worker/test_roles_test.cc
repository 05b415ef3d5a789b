// Slots, and the worker that is killed, are the test program too: main() tells the roles apart.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <stdexcept>

#include "base/log.h"
#include "describe/decode.h"
#include "worker/message.h"
#include "worker/test_worker.h"

extern char** environ;

namespace segments {

namespace {

void append_line(const std::string& path, const std::string& line) {
  std::string text = line + "\n";
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || write(file, text.data(), text.size()) != static_cast<ssize_t>(text.size())) _exit(9);
  close(file);
}

// Starts a program as an encoder would be started, says who is who, and never ends.
[[noreturn]] void hang(const std::string& path) {
  pid_t child = -1;
  const char* words[] = {"sleep", "1000", nullptr};
  if (posix_spawn(&child, "/bin/sleep", nullptr, nullptr, const_cast<char**>(words), environ)) _exit(9);
  put_file(path, std::to_string(getpid()) + " " + std::to_string(child));
  while (true) pause();
}

TaskOutcome run_test_task(const LeasedTask& task, const std::string& work_dir) {
  auto path = decode<TestArguments>(task.arguments).path;
  if (task.name == "ok") {
    if (!fs::create_directories(work_dir)) return {.ending = TaskEnding::failure, .error = "It was there."};
    std::ofstream(work_dir + "/piece.mp4") << "bytes";
    return {.result = R"({"files":)" + std::to_string(fs::exists(work_dir + "/piece.mp4")) + "}",
            .error = work_dir};
  }
  if (task.name == "fail") return {.ending = TaskEnding::failure, .error = "The file is not a video."};
  if (task.name == "retry") return {.ending = TaskEnding::retry, .error = "Nobody answered."};
  if (task.name == "flaky") {
    if (task.retries < 2) return {.ending = TaskEnding::retry, .error = "Nobody answered."};
    return {.result = std::to_string(task.retries)};
  }
  if (task.name == "throw") throw std::runtime_error("details");
  if (task.name == "abort") {
    signal(SIGABRT, SIG_DFL);
    abort();
  }
  if (task.name == "append") append_line(path, task.id);
  if (task.name == "stubborn") signal(SIGTERM, SIG_IGN);
  if (task.name == "hang" || task.name == "stubborn") hang(path);
  if (task.name == "hang-once") {
    if (!fs::exists(path)) {
      fs::create_directories(work_dir);
      hang(path);
    }
    return {.result = R"("second")"};
  }
  if (task.name == "wait-for-file") {
    put_file(path + ".begun", "");
    while (!fs::exists(path)) usleep(2000);
  }
  if (task.name == "moody") {
    if (path.ends_with("abort")) {
      signal(SIGABRT, SIG_DFL);
      abort();
    }
    if (path.ends_with("wait")) {
      put_file(path + ".begun", "");
      while (!fs::exists(path)) usleep(2000);
    }
    if (path.ends_with("lines")) append_line(path, task.id);
  }
  return {};
}

// A slot that dies of each order before it has begun it: always, or the first two times.
int be_shy(const char* count_path) {
  if (count_path) {
    if (fs::exists(std::string(count_path) + "2")) return run_slot(3, run_test_task);
    put_file(count_path + std::string(fs::exists(std::string(count_path) + "1") ? "2" : "1"), "");
  }
  send_message(3, encode(RunReport{}));
  MessageReader(3).read(true);
  return 1;
}

// A slot whose memory was overwritten: ready, and then it says what no slot says.
int talk_nonsense() {
  send_message(3, encode(RunReport{}));
  MessageReader reader(3);
  reader.read(true);
  send_message(3, R"({"outcome":{"ending":"maybe"}})");
  pause();
  return 0;
}

int run_worker_role(const char* file, const char* work_dir) {
  EmbeddedQueue queue(file);
  WorkerOptions options{.name = "worker@doomed",
                        .slots = 2,
                        .slot_command = {"/proc/self/exe", "slot"},
                        .lease_ms = 5'000,
                        .poll_ms = 10,
                        .work_dir = work_dir};
  std::atomic<Millis> stop = 0;
  run_worker(queue, options, stop, [](const LeasedTask&, const std::string&, bool) {});
  return 0;
}

}  // namespace

}  // namespace segments

int main(int argc, char** argv) {
  segments::set_log_level(segments::LogLevel::off);
  std::string role = argc > 1 ? argv[1] : "";
  if (role == "slot") return segments::run_slot(3, segments::run_test_task);
  if (role == "nonsense") return segments::talk_nonsense();
  if (role == "shy") return segments::be_shy(argc > 2 ? argv[2] : nullptr);
  if (role == "worker" && argc == 4) return segments::run_worker_role(argv[2], argv[3]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
