#include "app/beat.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/log.h"
#include "redis/test_server.h"
#include "tasks/periodic.h"

namespace segments {
namespace {

redis::RedisServer& test_server() {
  static redis::RedisServer server;
  return server;
}

// Long enough that a machine which is held up does not lose the lock, and short enough to be waited for.
constexpr Millis lock_ms = 4'000;
constexpr BeatOptions quick{.round_ms = 2, .hold_ms = 2};

template <class F>
void await(F&& is_so) {
  for (Millis until = steady_ms() + 120'000; !is_so();) {
    ASSERT_LT(steady_ms(), until) << "it never came";
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

class BeatTest : public testing::TestWithParam<QueueEngine> {
 protected:
  BeatTest() {
    set_log_level(LogLevel::error);
    std::string pattern = testing::TempDir() + "beat-XXXXXX";
    folder = mkdtemp(pattern.data());
    config.data_dir = folder / "data";
    config.queue = GetParam();
    config.redis_url = test_server().url();
    redis::Client(redis::parse_url(config.redis_url)).ask({"FLUSHALL"});
    std::filesystem::create_directories(folder / "data");
  }
  ~BeatTest() override {
    set_log_level(LogLevel::info);
    std::filesystem::remove_all(folder);
  }
  std::unique_ptr<BeatLock> make_lock(redis::Client& client) {
    return config.queue == QueueEngine::redis ? make_redis_lock(client, lock_ms)
                                              : make_file_lock(folder / "beat.lock");
  }
  redis::Client make_client() { return redis::Client(redis::parse_url(config.redis_url)); }
  void link(Engines& engines, int number) {
    Segment segment;
    segment.video_id = "v1";
    segment.user_id = "ann";
    segment.segment_id = make_numbered_segment_id("v1", number);
    segment.segment_number = number;
    segment.s3_key = "processed/v1/x";
    segment.created_at = segment.updated_at = now_text();
    auto& post = segment.social_media_usage.emplace_back();
    post.platform = SocialMediaPlatform::tiktok;
    post.post_id = "p" + std::to_string(number);
    engines.services().segments.create_segment(segment);
  }
  std::set<std::string> lease_all(TaskQueue& queue, std::size_t& count) {
    std::set<std::string> arguments;
    for (auto tasks = queue.lease_tasks("w", 500, 600'000); !tasks.empty();
         tasks = queue.lease_tasks("w", 500, 600'000))
      for (const auto& task : tasks) {
        ++count;
        arguments.insert(task.arguments);
      }
    return arguments;
  }

  std::filesystem::path folder;
  Config config;
};

TEST_P(BeatTest, TheLockIsOnesAtATimeAndGivenBack) {
  auto client = make_client();
  auto first = make_lock(client), second = make_lock(client);
  EXPECT_TRUE(first->hold());
  EXPECT_FALSE(second->hold());
  EXPECT_TRUE(first->hold());
  second.reset();
  auto third = make_lock(client);
  EXPECT_FALSE(third->hold()) << "who does not hold it gives nothing back";
  first.reset();
  EXPECT_TRUE(third->hold());
}

TEST_P(BeatTest, OfManyBeatsOneWorksAndAnotherAfterIt) {
  auto client = make_client();
  constexpr int beats = 4;
  std::atomic<int> working{0}, rounds[beats]{};
  std::atomic<bool> overlapped{false};
  std::unique_ptr<Beat> running[beats];
  for (int i = 0; i < beats; ++i)
    running[i] = std::make_unique<Beat>(
        make_lock(client),
        [&, i](const std::function<bool()>& may_go_on) {
          if (++working > 1) overlapped = true;
          if (may_go_on()) ++rounds[i];
          --working;
        },
        quick);
  std::set<int> done;
  for (int turn = 0; turn < beats; ++turn) {
    int holder = -1;
    await([&] {
      for (int i = 0; i < beats; ++i)
        if (!done.contains(i) && rounds[i] > 5) holder = i;
      return holder >= 0;
    });
    for (int i = 0; i < beats; ++i)
      if (i != holder && !done.contains(i)) {
        EXPECT_EQ(rounds[i], 0) << "while another holds it";
      }
    running[holder].reset();
    done.insert(holder);
  }
  EXPECT_FALSE(overlapped);
}

TEST_P(BeatTest, AnotherTakesOverFromOneThatIsKilled) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t holder = fork();
  if (holder == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto client = make_client();
    Beat beat(
        make_lock(client),
        [&](const std::function<bool()>& may_go_on) {
          if (may_go_on() && write(ends[1], "r", 1) != 1) _exit(1);
        },
        quick);
    while (true) pause();
  }
  close(ends[1]);
  char byte = 0;
  ASSERT_EQ(read(ends[0], &byte, 1), 1);
  auto client = make_client();
  std::atomic<int> rounds{0};
  Beat beat(
      make_lock(client), [&](const std::function<bool()>&) { ++rounds; }, quick);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(read(ends[0], &byte, 1), 1);
  EXPECT_EQ(rounds, 0);
  kill(holder, SIGKILL);
  waitpid(holder, nullptr, 0);
  close(ends[0]);
  await([&] { return rounds > 0; });
}

TEST_P(BeatTest, ARoundThatFailsIsFollowedByAnother) {
  set_log_level(LogLevel::off);
  auto client = make_client();
  std::atomic<int> rounds{0};
  Beat beat(
      make_lock(client),
      [&](const std::function<bool()>&) {
        ++rounds;
        throw Error(ErrorKind::unavailable, "Not now.");
      },
      quick);
  await([&] { return rounds > 3; });
}

TEST_P(BeatTest, ALinkedPostIsFollowedUnlessTheSettingSaysNo) {
  Engines engines(config, probe_media);
  auto& queue = engines.services().queue;
  constexpr int many = 1'000;
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 8; ++w)
      writers.emplace_back([&, w] {
        for (int i = w; i < many; i += 8) link(engines, i);
      });
  }
  // What is due from now on is due by the beat's clock after the usual delay.
  auto& store = engines.services().segments;
  auto listed = [&] { return store.list_due_posts(now_ms(), 10'000).size(); };
  ASSERT_EQ(listed(), std::size_t{many});
  config.sync = false;
  {
    auto beat = make_beat(config, engines, quick);
    Video video;
    video.video_id = "v9";
    video.user_id = "ann";
    video.upload_date = video.updated_at = format_time(now_ms() - 60'000);
    engines.services().videos.create_video(video, R"({"s3_input_key":"uploads/v9/film.mp4","job_id":"v9"})");
    await([&] { return queue.find_task("process-v9").has_value(); });
  }
  EXPECT_EQ(listed(), std::size_t{many});
  config.sync = true;
  Engines other(config, probe_media);
  {
    auto beat = make_beat(config, engines, quick), second = make_beat(config, other, quick);
    await([&] { return listed() == 0; });
  }
  std::size_t count = 0;
  auto arguments = lease_all(queue, count);
  EXPECT_EQ(count, std::size_t{many + 1});
  EXPECT_EQ(arguments.size(), std::size_t{many + 1});
}

INSTANTIATE_TEST_SUITE_P(Queues, BeatTest, testing::Values(QueueEngine::embedded, QueueEngine::redis),
                         [](const auto& info) { return std::string(name_of(info.param)); });

// The lock in Redis, and how often it was refused or not known.
class CountedLock : public BeatLock {
 public:
  CountedLock(redis::Client& client, std::atomic<int>& missed)
      : lock_(make_redis_lock(client, lock_ms)), missed_(missed) {}
  bool hold() override {
    ++missed_;
    bool is_held = lock_->hold();
    if (is_held) --missed_;
    return is_held;
  }

 private:
  std::unique_ptr<BeatLock> lock_;
  std::atomic<int>& missed_;
};

TEST(RedisBeatLock, ARoundFollowsAtOnceWhenItIsTakenAgain) {
  redis::Client client(redis::parse_url(test_server().url()));
  client.ask({"FLUSHALL"});
  std::atomic<int> missed{0}, rounds{0};
  Beat beat(std::make_unique<CountedLock>(client, missed), [&](const std::function<bool()>&) { ++rounds; },
            {.round_ms = 3'600'000, .hold_ms = 2});
  await([&] { return rounds == 1; });
  client.ask({"SET", beat_lock_key, "another's"});
  await([&] { return missed > 1; });
  EXPECT_EQ(rounds, 1);
  client.ask({"DEL", beat_lock_key});
  await([&] { return rounds == 2; });
}

TEST(RedisBeatLock, IsNotGivenBackToARedisThatDidNotAnswer) {
  redis::RedisServer server;
  redis::Client client(redis::parse_url(server.url()), {.answer_ms = 300});
  auto lock = make_redis_lock(client, 60'000);
  EXPECT_TRUE(lock->hold());
  server.pause();
  EXPECT_THROW(lock->hold(), Error);
  server.resume();
  lock.reset();
  redis::Client other(redis::parse_url(server.url()));  // this one rests after what it did not get
  EXPECT_EQ(other.ask({"EXISTS", beat_lock_key}).integer, 1) << "nobody waits for it at a stop";
}

TEST(RedisBeatLock, IsLostToNobodyButTime) {
  redis::Client client(redis::parse_url(test_server().url()));
  client.ask({"FLUSHALL"});
  auto first = make_redis_lock(client, 30'000), second = make_redis_lock(client, 30'000);
  EXPECT_TRUE(first->hold());
  auto left = client.ask({"PTTL", beat_lock_key}).integer;
  EXPECT_GT(left, 0);
  EXPECT_LE(left, 30'000);
  client.ask({"DEL", beat_lock_key});  // as its end does
  EXPECT_TRUE(second->hold());
  EXPECT_FALSE(first->hold());
  first.reset();
  EXPECT_EQ(client.ask({"EXISTS", beat_lock_key}).integer, 1) << "only its own is given back";
  second.reset();
  EXPECT_EQ(client.ask({"EXISTS", beat_lock_key}).integer, 0);
}

}  // namespace
}  // namespace segments
