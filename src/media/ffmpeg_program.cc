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

bool says(const ChildResult& result, std::string_view words) {
  return result.errors.find(words) != std::string::npos;
}

// An encoder that finds no memory may say no more than that it could not be opened; all else that keeps ours
// from opening is a size that it does not take. A thread without room for its stack is "temporarily
// unavailable".
bool lacks_memory(const ChildResult& result, const ProgramLimits& limits) {
  if (limits.memory_mb <= 0 || result.exit_code == 0 || result.timed_out || result.stopped) return false;
  if (says(result, "invalid width x height")) return false;
  return says(result, "Cannot allocate memory") || says(result, "malloc of size") ||
         says(result, "while opening encoder") || says(result, "Resource temporarily unavailable") ||
         says(result, "while loading shared libraries");
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
  if (lacks_memory(result, limits)) throw too_much_memory();
  if (says(result, "No space left on device"))
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
  return {limits.memory_mb, std::min(thread_count(limits), most_program_threads),
          steady_ms() + limits.seconds * Millis{1000}};
}

namespace {

ChildResult run_once(const Program& program, const ProgramLimits& limits) {
  Millis left = limits.deadline - steady_ms();
  if (left <= 0) throw Error(ErrorKind::too_large, "The video took longer to work on than is allowed.");
  int seconds = static_cast<int>((left + 999) / 1000);
  ChildLimits child{limits.memory_mb, seconds, limits.threads};
  return run_child(command_of(program, limits), program.directory, child, limits.stop);
}

}  // namespace

void run_ffmpeg(const Program& program, const ProgramLimits& limits) {
  ChildResult result = run_once(program, limits);
  if (limits.threads > 1 && lacks_memory(result, limits)) {
    log_info("media.ffmpeg_again_with_one_thread", {{"threads", limits.threads}});
    ProgramLimits fewer = limits;
    fewer.threads = 1;
    result = run_once(program, fewer);
  }
  check_result(result, limits);
}

}  // namespace segments
