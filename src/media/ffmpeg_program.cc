#include "media/ffmpeg_program.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <string_view>
#include <thread>

#include "base/error.h"
#include "base/log.h"
#include "media/child.h"
#include "media/input.h"

namespace segments {
namespace {

std::vector<std::string> command_of(const Program& program, const ProgramLimits& limits) {
  std::string threads = std::to_string(limits.threads);
  std::vector<std::string> command{"ffmpeg", "-nostdin", "-hide_banner", "-v", "error", "-y"};
  auto add = [&](const std::vector<std::string>& more) {
    command.insert(command.end(), more.begin(), more.end());
  };
  add({"-filter_threads", threads, "-threads", threads});
  // Nothing but the one file may be opened, and only as a true container.
  add({"-protocol_whitelist", "file", "-format_whitelist", taken_formats});
  add(program.before_input);
  add({"-i", "file:" + std::filesystem::absolute(program.source).string(), "-threads", threads});
  add(program.after_input);
  return command;
}

void check_result(const ChildResult& result, const ProgramLimits& limits) {
  if (result.exit_code == 0) return;
  // A broken stream fills all that is kept with the same complaint; its end says why the program gave up.
  auto end = std::string_view(result.errors);
  if (end.size() > 1000) end.remove_prefix(end.size() - 1000);
  log_warning("media.ffmpeg_failed", {{"exit_code", result.exit_code},
                                      {"signal", result.signal},
                                      {"timed_out", result.timed_out},
                                      {"errors", end}});
  if (result.timed_out || result.signal == SIGXCPU)
    throw Error(ErrorKind::too_large, "The video took longer to work on than is allowed.");
  bool lacks_memory = result.errors.find("Cannot allocate memory") != std::string::npos ||
                      result.errors.find("malloc of size") != std::string::npos;
  if (lacks_memory && limits.memory_mb > 0)
    throw Error(ErrorKind::too_large, "The video needs more memory than is allowed.");
  if (result.errors.find("No space left on device") != std::string::npos)
    throw Error(ErrorKind::unavailable, "There is no space left to write the pieces to.");
  // 255: it was asked to end by a signal.
  if (result.stopped || result.signal == SIGKILL || result.signal == SIGTERM || result.exit_code == 255)
    throw Error(ErrorKind::unavailable, "The work on the video was stopped.");
  throw Error(ErrorKind::invalid, "The video could not be decoded.");
}

}  // namespace

int thread_count(const MediaLimits& limits) {
  if (limits.threads > 0) return limits.threads;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 16U));
}

ProgramLimits program_limits(const MediaLimits& limits) {
  return {limits.memory_mb, thread_count(limits), steady_ms() + limits.seconds * Millis{1000}};
}

void run_ffmpeg(const Program& program, const ProgramLimits& limits) {
  Millis left = limits.deadline - steady_ms();
  if (left <= 0) throw Error(ErrorKind::too_large, "The video took longer to work on than is allowed.");
  int seconds = static_cast<int>((left + 999) / 1000);
  ChildLimits child{limits.memory_mb, seconds, limits.threads};
  check_result(run_child(command_of(program, limits), program.directory, child, limits.stop), limits);
}

}  // namespace segments
