// What the tests of this room share: a folder of their own, the real videos, synthetic ones made by the
// ffmpeg program, and the ffprobe program's opinion of what we made.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include "base/test_source_root.h"

namespace segments {

class TestFolder {
 public:
  TestFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "media-test-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no folder for the test");
    path_ = name;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

// The command's standard output; throws when it fails. Its standard error goes where ours goes.
inline std::string run_shell(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("no shell");
  std::string text;
  std::array<char, 4096> buffer;
  while (std::size_t count = fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), count);
  int status = pclose(pipe);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw std::runtime_error("failed: " + command);
  return text;
}

inline std::string make_video(const TestFolder& folder, const std::string& name,
                              const std::string& arguments) {
  std::string path = folder.file(name);
  run_shell("ffmpeg -nostdin -v error -y " + arguments + " " + path);
  return path;
}

// One of the real videos; the script fetches it out of its Debian package when it is not there yet.
inline std::string real_video(const std::string& name) {
  auto script = source_root() / "scripts/fetch_videos.sh";
  std::string folder = run_shell(script.string());
  while (folder.ends_with('\n')) folder.pop_back();
  return folder + "/" + name;
}

inline double ask_number(const std::string& path, const std::string& arguments) {
  std::string text = run_shell("ffprobe -v error -of csv=p=0 " + arguments + " " + path);
  return text.empty() || text.starts_with("N/A") ? 0 : std::stod(text);
}
inline double container_duration(const std::string& path) {
  return ask_number(path, "-show_entries format=duration");
}

struct Opinion {
  double start = 0, container = 0, video = 0;  // seconds; video is 0 where the container does not say
  int frames = 0;
  std::string errors;  // everything that the decoders complain about
};

// What ffprobe says of a file and ffmpeg finds when it decodes all of it.
inline Opinion ask_ffmpeg(const std::string& path) {
  Opinion opinion;
  std::istringstream told(
      run_shell("ffprobe -v error -of csv=p=0 -select_streams V:0 -show_entries "
                "stream=duration:format=start_time,duration " +
                path));
  std::string line;
  if (std::getline(told, line)) opinion.video = std::atof(line.c_str());
  if (std::getline(told, line)) {
    opinion.start = std::atof(line.c_str());
    opinion.container = std::atof(line.substr(line.find(',') + 1).c_str());
  }
  std::istringstream frames(run_shell("ffmpeg -nostdin -v error -i " + path +
                                      " -map 0:V:0 -map 0:a? -fps_mode passthrough -f framecrc - 2>&1"));
  while (std::getline(frames, line)) {
    if (line.starts_with("0,")) {
      ++opinion.frames;
    } else if (!line.starts_with("#") && !line.starts_with("1,")) {
      opinion.errors += line + "\n";
    }
  }
  return opinion;
}
inline int decoded_frames(const std::string& path) {
  return ask_ffmpeg(path).frames;
}
inline std::string decoding_errors(const std::string& path) {
  return ask_ffmpeg(path).errors;
}
inline std::string stream_codecs(const std::string& path) {
  return run_shell("ffprobe -v error -of csv=p=0 -show_entries stream=codec_name " + path +
                   " | tr '\\n' ' '");
}

}  // namespace segments
