#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "base/error.h"
#include "media/cut.h"
#include "media/ffmpeg_program.h"
#include "media/input.h"

namespace segments {
namespace {

struct Streams {
  int video, audio;
  bool is_aac;
};

Streams find_streams(const std::string& source, Millis deadline) {
  MediaInput input(source, deadline);
  if (!input.is_described()) input.find_stream_info();
  int audio = input.audio();
  return {input.video(), audio, audio >= 0 && input->streams[audio]->codecpar->codec_id == AV_CODEC_ID_AAC};
}

bool has_content(const std::string& path) {
  std::error_code error;
  return std::filesystem::file_size(path, error) > 0 && !error;
}

// True when a frame at or after `at` was written.
bool take_frame(const std::string& source, const std::string& output, int stream, double at,
                const ProgramLimits& limits) {
  char position[64];
  std::snprintf(position, sizeof position, "%.3f", at);
  Program program;
  program.source = source;
  if (at > 0) program.before_input = {"-ss", position};
  // Square pixels first, as a JPEG knows no other; then the longer side to 640, never larger than it was.
  program.after_input = {"-map",
                         "0:" + std::to_string(stream),
                         "-frames:v",
                         "1",
                         "-vf",
                         "scale=trunc(iw*sar):ih,setsar=1,"
                         "scale=w='if(gte(iw,ih),min(640,iw),max(1,round(iw*min(640,ih)/ih)))':"
                         "h='if(gte(iw,ih),max(1,round(ih*min(640,iw)/iw)),min(640,ih))',format=yuvj420p",
                         "-c:v",
                         "mjpeg",
                         "-q:v",
                         "3",
                         "-map_metadata",
                         "-1",
                         "-f",
                         "mjpeg",
                         "file:" + std::filesystem::absolute(output).string()};
  run_ffmpeg(program, limits);
  return has_content(output);
}

}  // namespace

bool make_thumbnail(const std::string& source, const std::string& output, double at,
                    const MediaLimits& allowed) {
  ProgramLimits limits = program_limits(allowed);
  MediaInfo info = probe_media(source);
  if (!info.has_video) return false;
  int stream = find_streams(source, limits.deadline).video;
  double position = std::clamp(at, 0.0, info.duration / 2);
  bool made = false;
  try {
    made = take_frame(source, output, stream, position, limits) ||
           (position > 0 && take_frame(source, output, stream, 0, limits));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::invalid) throw;
  }
  std::error_code ignored;
  if (!made) std::filesystem::remove(output, ignored);
  return made;
}

bool extract_audio(const std::string& source, const std::string& output, const MediaLimits& allowed) {
  ProgramLimits limits = program_limits(allowed);
  Streams streams = find_streams(source, limits.deadline);
  if (streams.audio < 0) return false;
  Program program;
  program.source = source;
  program.after_input = {"-map", "0:" + std::to_string(streams.audio), "-map_metadata", "-1", "-map_chapters",
                         "-1"};
  auto add = [&](std::initializer_list<std::string> more) {
    program.after_input.insert(program.after_input.end(), more.begin(), more.end());
  };
  if (streams.is_aac) add({"-c:a", "copy"});
  if (!streams.is_aac) add({"-c:a", "aac", "-b:a", "160k", "-ac", "2"});
  add({"-movflags", "+faststart", "-f", "mp4", "file:" + std::filesystem::absolute(output).string()});
  try {
    run_ffmpeg(program, limits);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(output, ignored);
    throw;
  }
  return has_content(output);
}

}  // namespace segments
