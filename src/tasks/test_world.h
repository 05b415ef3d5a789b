// For tests: the embedded engines in a folder of their own, with real objects and videos. May be opened again
// on the same folder, also by another process.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/time.h"
#include "embedded_queue/embedded_queue.h"
#include "media/cut.h"
#include "model/segment.h"
#include "objects/directory.h"
#include "services/services.h"
#include "social/simulator.h"
#include "sqlite/stores.h"
#include "tasks/registry.h"

namespace segments::testing {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "segments-tasks-XXXXXX").string();
    if (!mkdtemp(name.data())) std::abort();
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

// Makes a small video once for the whole test program: `seconds` of 160x120 at 25 frames, a tone unless
// silent.
inline fs::path sample_video(int seconds, bool with_sound = true) {
  static Folder folder;
  fs::path path = folder.path / (std::to_string(seconds) + (with_sound ? "s.mp4" : "s-silent.mp4"));
  if (fs::exists(path)) return path;
  std::string length = std::to_string(seconds);
  std::string sound =
      with_sound ? " -f lavfi -i sine=frequency=440:duration=" + length + " -c:a aac -shortest" : "";
  std::string command = "ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=25:duration=" + length +
                        sound + " -c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p " + path.string();
  if (std::system(command.c_str()) != 0) std::abort();
  return path;
}

// A store's totals. While it gives no answers whoever adds is not told whether it was done, as it was.
class WatchedTotals : public Totals {
 public:
  explicit WatchedTotals(Totals& totals) : totals_(totals) {}
  bool gives_answers = true;

  void add_total(std::string_view name, std::int64_t n) override {
    totals_.add_total(name, n);
    if (gives_answers) return;
    throw Error(ErrorKind::unavailable, "No answer came. Whether it was carried out is not known.");
  }
  std::vector<std::pair<std::string, std::int64_t>> list_totals() override { return totals_.list_totals(); }

 private:
  Totals& totals_;
};

class World {
 public:
  explicit World(const fs::path& folder)
      : folder_(folder),
        stores_(sqlite_options(folder)),
        queue_(folder / "queue.db"),
        objects_(folder / "objects", "secret"),
        platforms(make_simulated_platforms({})),
        totals(stores_.totals()),
        services{stores_.segments(), stores_.videos(), stores_.events(), totals,  objects_, &objects_, queue_,
                 platforms,          metrics_,         probe_media,      settings} {
    settings.media_threads = 1;
    settings.work_dir = (folder / "work").string();
  }

  // Runs the task as a worker does, in an empty folder that is removed afterwards.
  std::string run(const std::string& name, const std::string& arguments, const std::string& task_id = "task",
                  int retries = 0, int max_retries = 3) {
    fs::path work = folder_ / "work" / task_id;
    fs::remove_all(work);
    fs::create_directories(work);
    struct Removed {
      fs::path path;
      ~Removed() { fs::remove_all(path); }
    } removed{work};
    return find_task_definition(name)->run(arguments, services,
                                           {task_id, retries, max_retries, work.string()});
  }

  void put_object(const std::string& key, const fs::path& file, const std::string& type = "video/mp4") {
    fs::path copy = folder_ / "copy";
    fs::copy_file(file, copy, fs::copy_options::overwrite_existing);
    objects_.put_file(key, copy, type);
  }
  void put_bytes(const std::string& key, const std::string& bytes, const std::string& type = "video/mp4") {
    auto writer = objects_.write_object(key, type);
    writer->write(bytes);
    writer->commit();
  }
  std::vector<std::string> keys(const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& object : objects_.list_objects(prefix, "", 10'000)) found.push_back(object.key);
    return found;
  }
  // An uploaded video as the API leaves it before the task is queued.
  void create_video(const std::string& video_id, const fs::path& file, const std::string& user = "alice") {
    Video video;
    video.video_id = video_id;
    video.user_id = user;
    video.title = "My film";
    video.filename = "film.mov";
    video.tags = {"fun", "cats"};
    video.bucket_location = "uploads/" + video_id + "/film.mov";
    video.upload_date = video.updated_at = now_text();
    put_object(video.bucket_location, file, "video/quicktime");
    ASSERT_TRUE(services.videos.create_video(video));
  }
  std::int64_t total(const std::string& name) {
    for (const auto& [key, count] : services.totals.list_totals())
      if (key == name) return count;
    return 0;
  }

 private:
  static SqliteOptions sqlite_options(const fs::path& folder) {
    SqliteOptions options;
    options.file = folder / "segments.db";
    return options;
  }

  fs::path folder_;
  Metrics metrics_;
  SqliteStores stores_;
  EmbeddedQueue queue_;
  DirectoryObjectStore objects_;

 public:
  ServiceSettings settings;
  Platforms platforms;
  WatchedTotals totals;
  Services services;
};

class WorldTest : public ::testing::Test {
 protected:
  // Not stored yet.
  static Segment make_segment(int number, const std::string& user) {
    Segment segment;
    segment.video_id = "video-of-" + user;
    segment.user_id = user;
    segment.segment_id = make_numbered_segment_id(segment.video_id, number);
    segment.segment_number = number;
    segment.s3_key = "processed/x/" + segment.segment_id;
    segment.created_at = segment.updated_at = now_text();
    return segment;
  }
  Folder folder;
  World world{folder.path};
};

}  // namespace segments::testing
