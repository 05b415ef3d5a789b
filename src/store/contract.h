// What the contract suites share: the stores under test, and records to put into them. A suite is a set of
// TEST_P tests that every implementation instantiates with a StoresFactory of its own; include it in one
// source of a binary.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/time.h"
#include "store/stores.h"

namespace segments::contract {

// `make`: empty stores of their own for each test; what they hold is gone with them.
struct StoresFactory {
  std::string name;
  std::function<std::unique_ptr<Stores>()> make;
  // Of the rows, writers and repetitions of the tests that take many, in per cent: each is a journey where
  // the stores are behind a network. What is asked of each is the same.
  int effort = 100;
};
inline std::string name_of_factory(const testing::TestParamInfo<StoresFactory>& info) {
  return info.param.name;
}
inline void PrintTo(const StoresFactory& factory, std::ostream* out) {
  *out << factory.name;
}

class StoreContract : public testing::TestWithParam<StoresFactory> {
 protected:
  std::unique_ptr<Stores> stores_ = GetParam().make();
  SegmentStore& segments_ = stores_->segments();
  VideoStore& videos_ = stores_->videos();
  EventLog& events_ = stores_->events();

  static int scaled(int count) { return std::max(1, count * GetParam().effort / 100); }
  std::vector<Event> events_after(std::int64_t id) { return events_.list_events({}, id, 10'000); }
  std::vector<std::string> types_after(std::int64_t id) {
    std::vector<std::string> types;
    for (const auto& event : events_after(id)) types.push_back(event.type);
    return types;
  }
};

inline Segment make_segment(const std::string& video_id, int number, const std::string& user_id = "ann") {
  Segment segment;
  segment.segment_id = make_numbered_segment_id(video_id, number);
  segment.video_id = video_id;
  segment.user_id = user_id;
  segment.segment_number = number;
  segment.s3_key = "processed/" + video_id + "/segment_" + std::to_string(number) + ".mp4";
  segment.duration = 12.5 + number;
  segment.file_size = 1'000 + number;
  segment.created_at = format_time(1'790'000'000'000 + number);
  segment.updated_at = segment.created_at;
  return segment;
}

inline SocialMediaUsage make_post(SocialMediaPlatform platform, const std::string& post_id) {
  SocialMediaUsage usage;
  usage.platform = platform;
  usage.post_id = post_id;
  usage.post_url = "https://example.com/" + post_id;
  return usage;
}

inline Video make_video(const std::string& video_id, const std::string& user_id = "ann") {
  Video video;
  video.video_id = video_id;
  video.user_id = user_id;
  video.title = "A \"title\" with 'quotes' and ünïcode 🎬";
  video.filename = video_id + ".mp4";
  video.file_size = 9'007'199'254'740'991;
  video.upload_date = "2026-11-22T10:00:00.000Z";
  video.updated_at = video.upload_date;
  video.bucket_location = "uploads/" + video_id + "/" + video.filename;
  return video;
}

inline JobProgress make_progress(const std::string& job_id, const std::string& stage, double percentage) {
  JobProgress progress;
  progress.job_id = job_id;
  progress.stage = stage;
  progress.message = "now " + stage;
  progress.progress_percentage = percentage;
  progress.timestamp = "2026-11-22T10:00:01.000Z";
  return progress;
}

// Runs f(0), f(1), ... at once, each on a thread of its own, and waits for all.
inline void run_at_once(int count, const std::function<void(int)>& f) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(f, i);
  for (auto& thread : threads) thread.join();
}

}  // namespace segments::contract
