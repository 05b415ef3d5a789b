// Measures the verbs of the SQLite store in process, without HTTP: what a verb costs in CPU and in bytes
// written.
//   store_bench FILE VERB COUNT [THREADS=64] [USERS=10]
// VERB: create, get, update, download, download-one, link, list (the first page), order (the first page in
// the other orders), deep (the last page), type, duration, tags, search (first pages of a filter, another one
// each time), same (the same filter again). `create` fills the file; the others work on what it left there:
// segment n belongs to the user of its video, video % USERS. Prints one line.
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "model/segment.h"
#include "sqlite/stores.h"

namespace {

using namespace segments;

double cpu_us(int who) {
  rusage used{};
  getrusage(who, &used);
  auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_usec);
  };
  return us(used.ru_utime) + us(used.ru_stime);
}

double bytes_written() {
  std::ifstream file("/proc/self/io");
  for (std::string name; file >> name;) {
    double value = 0;
    file >> value;
    if (name == "wchar:") return value;
  }
  return 0;
}

Segment segment_of(std::int64_t n, std::int64_t users) {
  // As in bench/library.py: ten to a video, the videos of 50,000 in no order.
  const std::int64_t turn = n / 50'000, place = n % 50'000 * 7'919 % 50'000,
                     video = turn * 5'000 + place / 10;
  Segment segment;
  segment.video_id = "v" + std::to_string(turn) + "-" + std::to_string(place / 10);
  segment.segment_id =
      make_segment_id(segment.video_id, "01kaq3v6n" + std::to_string(10'000'000'000'000'000 + n));
  segment.user_id = "user-" + std::to_string(video % users);
  segment.segment_number = place % 10 + 1;
  segment.s3_key = "processed/" + segment.video_id + "/segment_" + std::to_string(n) + ".mp4";
  segment.filename = "segment_" + std::to_string(n) + ".mp4";
  auto mixed = static_cast<std::uint64_t>(n + 1) * 0x9e3779b97f4a7c15ull;
  segment.duration = static_cast<double>(mixed >> 40) / 1e5;
  segment.file_size = static_cast<std::int64_t>(mixed >> 30);
  segment.title = "Clip " + std::to_string(mixed % 100'003) + " of a day";
  segment.description = "What is seen in it, in some words that are not short";
  segment.tags = {"sports", n % 3 ? "highlights" : "interview"};
  segment.created_at = segment.updated_at = format_time(1'790'000'000'000 + n);
  return segment;
}

class Bench {
 public:
  Bench(SqliteStores& stores, std::int64_t users) : segments_(stores.segments()), users_(users) {
    all_.limit = 1;
    for (std::int64_t u = 0; u < std::min<std::int64_t>(users_, 2); ++u)
      each_ = std::max(each_, segments_.list_segments("user-" + std::to_string(u), all_).total_count);
  }

  bool run(const std::string& verb, std::int64_t n) {
    const std::int64_t stored = std::max<std::int64_t>(1, each_ * users_);
    auto random =
        static_cast<std::int64_t>(((static_cast<std::uint64_t>(n) + 1) * 0x9e3779b97f4a7c15ull >> 20) %
                                  static_cast<std::uint64_t>(stored));
    if (verb == "create")
      return segments_.create_segment(segment_of(stored > 1 ? stored + n : n, users_)).kind ==
             CreateOutcome::Kind::created;
    const Segment segment = segment_of(verb == "download-one" ? 7 : random, users_);
    if (verb == "get") return segments_.find_segment(segment.segment_id).has_value();
    if (verb.starts_with("download"))
      return segments_.count_download(segment.segment_id, segment.user_id, now_text()).has_value();
    if (verb == "update")
      return segments_
          .update_segment(
              segment.segment_id, segment.user_id, {},
              [&](Segment& s) { s.title = "Another title " + std::to_string(n); }, now_text())
          .has_value();
    if (verb == "link") {
      SocialMediaUsage post;
      post.platform = SocialMediaPlatform::tiktok;
      post.post_id = std::to_string(1'000'000 + n);
      post.post_url = "https://www.tiktok.com/@somebody/video/" + *post.post_id;
      return segments_.link_post(segment.segment_id, segment.user_id, post) != LinkOutcome::absent;
    }
    return list(verb, n, segment.user_id);
  }

 private:
  bool list(const std::string& verb, std::int64_t n, const std::string& user) {
    SegmentQuery query;
    query.limit = 100;
    if (verb == "order") query.sort_by = static_cast<SegmentOrder>(1 + n % 7);
    if (verb == "deep") query.offset = each_ - 100 - n % 50;
    if (verb == "duration") query.min_duration = 100 + static_cast<double>(n) * 1e-6;
    if (verb == "tags") query.tags = {"sports", "interview"};
    if (verb == "tags") query.min_duration = static_cast<double>(n) * 1e-6;
    if (verb == "search") query.search = "clip " + std::to_string(n % 90'000);
    if (verb == "type") query.segment_type = SegmentType::processed;
    if (verb == "same") query.min_duration = 100;
    return segments_.list_segments(user, query).total_count >= 0;
  }

  SegmentStore& segments_;
  const std::int64_t users_;
  SegmentQuery all_;
  std::int64_t each_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string verb = argv[2];
  const std::int64_t count = std::atoll(argv[3]);
  const int threads = argc > 4 ? std::atoi(argv[4]) : 64;
  const std::int64_t users = argc > 5 ? std::atoll(argv[5]) : 10;
  SqliteStores stores({.file = argv[1]});
  Bench bench(stores, users);
  std::atomic<std::int64_t> next{0}, failed{0}, client_us{0};
  auto begun = std::chrono::steady_clock::now();
  const double cpu = cpu_us(RUSAGE_SELF), bytes = bytes_written();
  std::vector<std::thread> clients;
  for (int t = 0; t < threads; ++t)
    clients.emplace_back([&] {
      for (std::int64_t n; (n = next++) < count;)
        if (!bench.run(verb, n)) ++failed;
      client_us += static_cast<std::int64_t>(cpu_us(RUSAGE_THREAD));
    });
  for (auto& client : clients) client.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  const double all = static_cast<double>(count), cpu_each = (cpu_us(RUSAGE_SELF) - cpu) / all;
  const double client_each = static_cast<double>(client_us) / all;
  std::printf(
      "%-12s %8lld x%-3d %9.0f/s  CPU %8.2f us (callers %.2f, writer and others %.2f)  written %.0f bytes  "
      "failed %lld\n",
      verb.c_str(), static_cast<long long>(count), threads, all / seconds, cpu_each, client_each,
      cpu_each - client_each, (bytes_written() - bytes) / all, static_cast<long long>(failed));
  return failed ? 1 : 0;
}
