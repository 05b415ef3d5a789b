#include "worker/slot_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/log.h"

namespace segments {

namespace {

constexpr int slot_descriptor = 3;
constexpr int board_descriptor = 4;
constexpr int beyond_both = 10;

// Between fork and exec only what is safe after a fork of a program with threads: other parts of this
// process, the queue's writer for one, have them.
[[noreturn]] void become_slot(pid_t worker, int socket, int board, char* const* arguments) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != worker) _exit(127);  // it died before the line above
  for (int number = 1; number < 32; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, 0);
  // Either may have the other's number.
  socket = fcntl(socket, F_DUPFD, beyond_both);
  board = fcntl(board, F_DUPFD, beyond_both);
  dup2(socket, slot_descriptor);
  dup2(board, board_descriptor);
  close_range(board_descriptor + 1, ~0u, 0);
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

Subreaper::Subreaper() {
  prctl(PR_GET_CHILD_SUBREAPER, &before_);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

Subreaper::~Subreaper() {
  prctl(PR_SET_CHILD_SUBREAPER, before_);
}

SlotProcess::SlotProcess(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
    throw Error(ErrorKind::unavailable, std::string("A slot has no socket: ") + std::strerror(errno));
  // A slot that does not read must not hold up the worker for good.
  timeval patience{.tv_sec = 5, .tv_usec = 0};
  setsockopt(ends[0], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  pid_t worker = getpid();
  id_ = fork();
  if (id_ == 0) become_slot(worker, ends[1], board_.descriptor(), arguments.data());
  int error = errno;
  close(ends[1]);
  if (id_ < 0) {
    close(ends[0]);
    throw Error(ErrorKind::unavailable, std::string("A slot cannot be started: ") + std::strerror(error));
  }
  setpgid(id_, id_);  // whoever of the two comes first: the group exists before anything can need it
  socket_ = ends[0];
  reader_ = MessageReader(socket_);
}

SlotProcess::~SlotProcess() {
  kill_group();
  while (!is_gone()) {
    timespec pause{.tv_sec = 0, .tv_nsec = 2'000'000};
    nanosleep(&pause, nullptr);
    kill_group();
  }
  close(socket_);
}

std::uint64_t SlotProcess::put(const RunOrder& order) {
  if (!append_message(unsent_, encode(order))) return 0;
  board_.offer(++orders_);
  return orders_;
}

void SlotProcess::flush() {
  if (unsent_.empty()) return;
  if (!send_bytes(socket_, unsent_)) is_deaf_ = true;
  unsent_.clear();
}

std::optional<RunReport> SlotProcess::read_report() {
  auto message = reader_.read(false);
  if (!message) return std::nullopt;
  try {
    return decode<RunReport>(*message);
  } catch (const Error& error) {
    log_error("slot.report_refused", {{"error", error.what()}});
    talks_nonsense_ = true;
    return std::nullopt;
  }
}

bool SlotProcess::is_broken() {
  if (gone_ || is_deaf_ || talks_nonsense_ || reader_.at_end()) return true;
  siginfo_t info{};
  // Left as a zombie: as long as it is one, its group's id belongs to nobody else.
  waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT);
  return info.si_pid == id_;
}

void SlotProcess::signal_group(int signal) {
  if (!gone_) kill(-id_, signal);
}

void SlotProcess::kill_group() {
  if (!gone_) kill(-id_, SIGKILL);
}

bool SlotProcess::is_gone() {
  while (!gone_) {
    pid_t reaped = waitpid(-id_, nullptr, WNOHANG);
    if (reaped == 0) return false;
    if (reaped < 0 && errno != EINTR) gone_ = true;
  }
  return true;
}

}  // namespace segments
