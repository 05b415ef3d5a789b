// The worker that `serve` runs: a child process, started again with back-off when it ends by itself. Used by
// the main thread alone, because the kernel ties the child to the thread that started it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/time.h"

namespace segments {

class WorkerProcess {
 public:
  // `arguments` are those of `segments worker`.
  WorkerProcess(bool is_wanted, std::vector<std::string> arguments)
      : is_wanted_(is_wanted), arguments_(std::move(arguments)) {}
  ~WorkerProcess();
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;

  // Notes whether it ended, and starts it when it is due. To be called after SIGCHLD and every second.
  void keep_running();
  // Asks it to drain; it is not started again.
  void request_stop();
  // Waits for its end; killed after `seconds`.
  void wait(int seconds);
  pid_t pid() const { return pid_; }  // 0: does not run

 private:
  void start();
  bool reap();

  bool is_wanted_;
  std::vector<std::string> arguments_;
  pid_t pid_ = 0;
  Millis started_ = 0, start_at_ = 0;
  Millis back_off_ms_ = 0;
};

}  // namespace segments
