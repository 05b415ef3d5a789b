#include "media/exact_cut.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "media/ffmpeg_program.h"
#include "media/overlay.h"

namespace segments {
namespace {

constexpr std::size_t most_lanes = 4;
// MiB of addresses. Programs that were measured at 1920x1080 took 500 to 1000 with one to four threads, a
// quarter of it filled.
constexpr int lane_mb = 1024, program_mb = 900, thread_mb = 100;

std::string fixed(double seconds) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6f", seconds);
  return text;
}

// Half-way between two frames, so that rounding anywhere cannot move a frame to the other side.
std::int64_t threshold(const FrameIndex& index, std::int64_t frame) {
  std::int64_t before = index.before(frame);
  return before + (frame - before + 1) / 2;
}

int even(int length) {
  return std::max(2, length - length % 2);
}

struct Size {
  int width, height;
};

Size shown_size(const MediaInfo& info) {
  bool is_turned = info.rotation == 90 || info.rotation == 270;
  return is_turned ? Size{even(info.height), even(info.width)} : Size{even(info.width), even(info.height)};
}

// The decoder begins at a keyframe at or before this; what comes too early is trimmed. Absent: at the file's
// beginning. Only these two containers have an index that leads to the keyframe itself and to the sound
// beside it.
double seek_position(const MediaInfo& info, const FrameIndex& index, std::int64_t begin) {
  if (info.container.starts_with("mov")) return index.absolute_seconds(begin) - 0.2;
  if (info.container.starts_with("matroska")) return index.absolute_seconds(begin) - 1;
  return index.absolute_seconds(index.key_at_or_before(begin)) - 1;
}

std::string video_filter(const MediaInfo& info, const FrameIndex& index, const PlannedPiece& piece,
                         const std::string& overlay) {
  std::string filter;
  if (piece.begin > index.first())
    filter += "trim=start_pts=" + std::to_string(threshold(index, piece.begin)) + ",";
  if (piece.end < index.end) filter += "trim=end_pts=" + std::to_string(threshold(index, piece.end)) + ",";
  Size size = shown_size(info);
  // A constant size even where the source changes its own on the way; the crop keeps odd ones from being
  // resampled.
  filter += "setpts=PTS-(" + std::to_string(piece.begin) + ")";
  if (info.width > 1 && info.height > 1) filter += ",crop=iw-mod(iw\\,2):ih-mod(ih\\,2):0:0";
  filter += ",scale=" + std::to_string(size.width) + ":" + std::to_string(size.height);
  if (!overlay.empty()) filter += "," + overlay;
  return filter + ",format=yuv420p";
}

// Sound from the same moment to the same moment, with silence where the source has none, so that it is as
// long as the picture: the container's duration is then the picture's.
std::string audio_filter(const FrameIndex& index, const PlannedPiece& piece) {
  std::string begin = fixed(index.absolute_seconds(piece.begin)),
              end = fixed(index.absolute_seconds(piece.end));
  std::string length = fixed(index.seconds(piece.end) - index.seconds(piece.begin));
  return "atrim=start=" + begin + ":end=" + end + ",asetpts=round(PTS-(" + begin + ")/TB)" +
         ",aresample=async=1:first_pts=0,apad=whole_dur=" + length + ",atrim=end=" + length;
}

// The encoder passes no durations on, so that the last frame would get a guessed one.
std::string last_duration(const FrameIndex& index, const PlannedPiece& piece) {
  std::int64_t last = index.before(piece.end) - piece.begin, length = piece.end - piece.begin;
  return "setts=pts=PTS:dts=DTS:duration=if(gte(PTS\\," + std::to_string(last) + ")\\," +
         std::to_string(length) + "-PTS\\,DURATION)";
}

Program make_program(const CutRequest& request, const MediaInfo& info, const FrameIndex& index,
                     const PlannedPiece& piece, const std::string& overlay, const std::string& path) {
  Program program;
  program.source = request.source;
  program.directory = request.output_dir;
  program.before_input = {"-copyts", "-noaccurate_seek"};
  double position = seek_position(info, index, piece.begin);
  if (position > index.absolute_seconds(index.first()))
    program.before_input.insert(program.before_input.end(), {"-seek_timestamp", "1", "-ss", fixed(position)});
  auto add = [&](const std::vector<std::string>& more) {
    program.after_input.insert(program.after_input.end(), more.begin(), more.end());
  };
  add({"-map", "0:" + std::to_string(index.video), "-vf", video_filter(info, index, piece, overlay)});
  add({"-fps_mode", "vfr", "-enc_time_base", "-1", "-c:v", "libx264", "-preset", "veryfast", "-crf", "21"});
  add({"-bsf:v", last_duration(index, piece)});
  if (index.audio >= 0) {
    add({"-map", "0:" + std::to_string(index.audio), "-af", audio_filter(index, piece)});
    add({"-c:a", "aac", "-b:a", "160k", "-ac", "2"});
  }
  add({"-map_metadata", "-1", "-map_chapters", "-1", "-movflags", "+faststart", "-movie_timescale", "90000"});
  add({"-f", "mp4", "file:" + std::filesystem::absolute(path).string()});
  return program;
}

// The work shared out among lanes; the caller's thread waits for the pieces in their order.
class Lanes {
 public:
  Lanes(std::size_t pieces, std::function<void(std::size_t, std::stop_token)> work)
      : work_(std::move(work)), done_(pieces, false) {}

  void run(int lanes, const std::function<void(std::size_t)>& on_done) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < lanes; ++i) threads.emplace_back([this](std::stop_token stop) { work(stop); });
    // Leaving by an exception stops the programs and waits for them: that is what ~jthread does.
    for (std::size_t i = 0; i < done_.size(); ++i) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return done_[i] || failure_; });
      if (failure_) std::rethrow_exception(failure_);
      lock.unlock();
      on_done(i);
    }
  }

 private:
  void work(const std::stop_token& stop) {
    for (;;) {
      std::unique_lock lock(mutex_);
      if (failure_ || stop.stop_requested() || next_ == done_.size()) return;
      std::size_t mine = next_++;
      lock.unlock();
      std::exception_ptr failure;
      try {
        work_(mine, stop);
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      done_[mine] = true;
      if (failure && !failure_) failure_ = failure;
      changed_.notify_all();
    }
  }

  std::function<void(std::size_t, std::stop_token)> work_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> done_;
  std::size_t next_ = 0;
  std::exception_ptr failure_;
};

// Gone with its scope, whatever happens to the piece.
struct TextFile {
  explicit TextFile(std::filesystem::path at) : path(std::move(at)) {}
  ~TextFile() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  std::filesystem::path path;
};

// Small pictures do not fill several processors by themselves; large ones would fill the memory twice.
int lane_count(const MediaInfo& info, std::size_t pieces, int threads, int memory_mb) {
  if (std::int64_t{info.width} * info.height > 1920 * 1088) return 1;
  int lanes = static_cast<int>(std::min<std::size_t>(pieces, most_lanes));
  if (memory_mb > 0) lanes = std::min(lanes, memory_mb / lane_mb);
  return std::max(1, std::min(lanes, threads));
}

// What is allowed, shared out among lanes. The limit is one of addresses, of which a program takes more than
// it fills: each gets what its threads need even where that is above its share.
ProgramLimits lane_limits(const MediaLimits& allowed, int lanes, int threads, Millis deadline) {
  int each = std::clamp(threads / lanes, 1, most_program_threads);
  int needed = std::min(allowed.memory_mb, program_mb + each * thread_mb);
  return {std::max(allowed.memory_mb / lanes, needed), each, deadline};
}

}  // namespace

void encode_pieces(const CutRequest& request, const MediaInfo& info, const FrameIndex& index,
                   const std::vector<PlannedPiece>& pieces, const std::vector<std::string>& paths,
                   Millis deadline, const std::function<void(std::size_t)>& on_done) {
  int threads = thread_count(request.limits);
  int lanes = lane_count(info, pieces.size(), threads, request.limits.memory_mb);
  ProgramLimits shared = lane_limits(request.limits, lanes, threads, deadline);
  Lanes work(pieces.size(), [&](std::size_t i, std::stop_token stop) {
    ProgramLimits limits = shared;
    limits.stop = std::move(stop);
    Size size = shown_size(info);
    TextFile file(std::filesystem::path(request.output_dir) / ("overlay_" + std::to_string(i) + ".txt"));
    Overlay overlay;
    if (!pieces[i].text.empty()) {
      overlay = make_overlay(pieces[i].text, size.width, size.height, file.path.filename().string());
      std::ofstream(file.path, std::ios::binary) << overlay.text;
    }
    run_ffmpeg(make_program(request, info, index, pieces[i], overlay.filter, paths[i]), limits);
  });
  work.run(lanes, on_done);
}

}  // namespace segments
