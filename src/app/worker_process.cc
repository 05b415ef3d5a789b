#include "app/worker_process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <thread>

#include "app/self.h"
#include "base/log.h"

namespace segments {
namespace {

constexpr Millis first_back_off_ms = 200, longest_back_off_ms = 10'000, healthy_ms = 30'000;

}  // namespace

WorkerProcess::~WorkerProcess() {
  if (pid_ == 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool WorkerProcess::reap() {
  int status = 0;
  if (pid_ == 0 || waitpid(pid_, &status, WNOHANG) != pid_) return false;
  write_log(is_wanted_ ? LogLevel::warning : LogLevel::info, "worker.ended",
            {{"pid", pid_},
             {"exit_code", WIFEXITED(status) ? WEXITSTATUS(status) : -1},
             {"signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0}});
  pid_ = 0;
  return true;
}

void WorkerProcess::keep_running() {
  if (reap()) {
    bool was_healthy = steady_ms() - started_ > healthy_ms;
    back_off_ms_ = was_healthy ? first_back_off_ms
                               : std::clamp(back_off_ms_ * 2, first_back_off_ms, longest_back_off_ms);
    start_at_ = steady_ms() + back_off_ms_;
  }
  if (is_wanted_ && pid_ == 0 && steady_ms() >= start_at_) start();
}

void WorkerProcess::start() {
  // Only system calls between fork and exec: other threads may hold any lock.
  std::string program = own_program();
  char command[] = "worker";
  std::vector<char*> arguments{program.data(), command};
  for (auto& argument : arguments_) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  pid_t parent = getpid();
  pid_t child = fork();
  if (child == 0) {
    // A server that is killed leaves a worker that finishes or hands back what it holds, and ends.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);
    // The worker must not hold the port and the connections of a server that it outlives.
    close_range(3, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execv(program.c_str(), arguments.data());
    _exit(127);
  }
  started_ = steady_ms();
  if (child < 0) {
    log_error("worker.not_started", {{"errno", errno}});
    start_at_ = started_ + longest_back_off_ms;
    return;
  }
  pid_ = child;
  log_info("worker.spawned", {{"pid", pid_}});
}

void WorkerProcess::request_stop() {
  is_wanted_ = false;
  if (pid_ != 0) kill(pid_, SIGTERM);
}

void WorkerProcess::wait(int seconds) {
  Millis until = steady_ms() + seconds * 1'000;
  while (pid_ != 0 && !reap()) {
    if (steady_ms() > until) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
      pid_ = 0;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace segments
