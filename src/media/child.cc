#include "media/child.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/time.h"

namespace segments {
namespace {

constexpr std::size_t kept_errors = 16 * 1024;

struct Pipe {
  Descriptor read, write;
};

// The three standard numbers are kept free of ours, because the child puts its own there one after the other.
Descriptor above_standard(Descriptor from) {
  Descriptor kept(fcntl(from.number(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (kept.number() < 0) throw Error(ErrorKind::internal, "There are no more file descriptors.");
  return kept;
}

Pipe make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw Error(ErrorKind::internal, "No pipe could be made.");
  Descriptor read(ends[0]), write(ends[1]);
  return {above_standard(std::move(read)), above_standard(std::move(write))};
}

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  for (const char* folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
    if (access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  throw Error(ErrorKind::internal, "The program " + name + " is not installed.");
}

// Everything that the child needs between fork and exec, prepared before: there it may only make system
// calls, because other threads of ours may have held any lock at the moment of the fork.
struct Launch {
  std::string program;
  std::vector<char*> arguments;
  std::array<char*, 5> environment;
  const char* directory;
  ChildLimits limits;
  pid_t parent;
  int null, errors, failed;
};

void limit(__rlimit_resource resource, rlim_t value) {
  rlimit both{value, value};
  setrlimit(resource, &both);
}

[[noreturn]] void become(const Launch& launch) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above took effect.
  if (getppid() != launch.parent) _exit(127);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  dup2(launch.null, STDIN_FILENO);
  dup2(launch.null, STDOUT_FILENO);
  dup2(launch.errors, STDERR_FILENO);
  // Marked rather than closed: the pipe that tells of a failed exec must stay open until exec.
  syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  limit(RLIMIT_CORE, 0);
  if (launch.limits.memory_mb > 0) limit(RLIMIT_AS, static_cast<rlim_t>(launch.limits.memory_mb) << 20);
  if (launch.limits.seconds > 0)
    limit(RLIMIT_CPU,
          static_cast<rlim_t>(launch.limits.seconds) * 2 * static_cast<rlim_t>(launch.limits.processors));
  if (*launch.directory == '\0' || chdir(launch.directory) == 0)
    execve(launch.program.c_str(), launch.arguments.data(), launch.environment.data());
  int reason = errno;
  [[maybe_unused]] auto written = write(launch.failed, &reason, sizeof reason);
  _exit(127);
}

std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    std::getline(file, text);
    // "pid (name) state ppid …", and the name may hold anything.
    auto after_name = text.rfind(')');
    if (after_name != std::string::npos && after_name + 4 < text.size() &&
        std::atoi(text.c_str() + after_name + 4) == parent)
      found.push_back(pid);
  }
  return found;
}

// Each is stopped before its children are listed, so that none can be born behind our back.
void kill_tree(pid_t root) {
  kill(root, SIGSTOP);
  for (pid_t child : children_of(root)) kill_tree(child);
  kill(root, SIGKILL);
}

// Reads what is there. False when the other end is closed.
bool take_errors(int fd, std::string& errors) {
  char buffer[4096];
  ssize_t count = read(fd, buffer, sizeof buffer);
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (count == 0) return false;
  errors.append(buffer, static_cast<std::size_t>(count));
  if (errors.size() > 2 * kept_errors) errors.erase(0, errors.size() - kept_errors);
  return true;
}

void note_end(int status, ChildResult& result) {
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
}

ChildResult await_end(pid_t child, int errors, const ChildLimits& limits, const std::stop_token& stop) {
  ChildResult result;
  const Millis deadline = steady_ms() + limits.seconds * Millis{1000};
  bool open = true;
  for (;;) {
    // The end of the pipe wakes us at once; the period is for programs that close it early or pass it on.
    pollfd waiting{errors, POLLIN, 0};
    int ready = poll(&waiting, open ? 1 : 0, open ? 50 : 2);
    if (open && ready > 0) open = take_errors(errors, result.errors);
    int status = 0;
    pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child) {
      note_end(status, result);
      break;
    }
    if (ended < 0 && errno != EINTR) throw Error(ErrorKind::internal, "A child process was lost.");
    result.timed_out = limits.seconds > 0 && steady_ms() >= deadline;
    result.stopped = stop.stop_requested();
    if (result.timed_out || result.stopped) {
      kill_tree(child);
      waitpid(child, &status, 0);
      result.signal = SIGKILL;
      break;
    }
  }
  while (open) {
    pollfd waiting{errors, POLLIN, 0};
    open = poll(&waiting, 1, 0) > 0 && take_errors(errors, result.errors);
  }
  if (result.errors.size() > kept_errors) result.errors.erase(0, result.errors.size() - kept_errors);
  return result;
}

}  // namespace

ChildResult run_child(const std::vector<std::string>& command, const std::string& directory,
                      const ChildLimits& limits, std::stop_token stop, const std::string& variable) {
  static char path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
  static char locale[] = "LC_ALL=C.UTF-8";
  // Every arena of glibc's reserves 64 MB of addresses, which the limit would count.
  static char arenas[] = "MALLOC_ARENA_MAX=4";
  Pipe errors = make_pipe(), failed = make_pipe();
  Descriptor null = above_standard(Descriptor(open("/dev/null", O_RDWR | O_CLOEXEC)));
  Launch launch{
      find_program(command.at(0)),
      {},
      {path, locale, arenas, variable.empty() ? nullptr : const_cast<char*>(variable.c_str()), nullptr},
      directory.c_str(),
      limits,
      getpid(),
      null.number(),
      errors.write.number(),
      failed.write.number()};
  for (const auto& argument : command) launch.arguments.push_back(const_cast<char*>(argument.c_str()));
  launch.arguments.push_back(nullptr);

  pid_t child = fork();
  if (child < 0) throw Error(ErrorKind::unavailable, "No process could be started.");
  if (child == 0) become(launch);
  errors.write.reset();
  failed.write.reset();
  int reason = 0;
  ssize_t told;
  do told = read(failed.read.number(), &reason, sizeof reason);
  while (told < 0 && errno == EINTR);
  if (told > 0) {
    waitpid(child, nullptr, 0);
    throw Error(ErrorKind::internal,
                "The program " + command[0] + " could not be started: " + std::strerror(reason) + ".");
  }
  return await_end(child, errors.read.number(), limits, stop);
}

}  // namespace segments
