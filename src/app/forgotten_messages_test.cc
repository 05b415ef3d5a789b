// Videos whose task's message somebody took out of Redis.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "app/engines.h"
#include "base/log.h"
#include "media/probe.h"
#include "redis/test_server.h"
#include "tasks/forgotten_videos.h"

namespace segments {
namespace {

class ForgottenMessagesTest : public testing::Test {
 protected:
  ForgottenMessagesTest() {
    set_log_level(LogLevel::off);
    std::string pattern = testing::TempDir() + "forgotten-XXXXXX";
    folder = mkdtemp(pattern.data());
    config.data_dir = folder;
    config.queue = QueueEngine::redis;
    config.redis_url = server.url();
  }
  ~ForgottenMessagesTest() override {
    set_log_level(LogLevel::info);
    std::filesystem::remove_all(folder);
  }
  redis::RedisServer server;
  std::filesystem::path folder;
  Config config;
};

TEST_F(ForgottenMessagesTest, are_queued_again_for_the_videos_that_wait_for_them) {
  Engines engines(config, probe_media);
  redis::Client client(redis::parse_url(server.url()));
  Video video;
  video.video_id = "v1";
  video.user_id = "ann";
  video.upload_date = video.updated_at = now_text();
  ASSERT_TRUE(engines.services().videos.create_video(video, R"({"job_id":"v1"})"));
  Millis later = now_ms() + 60'000;
  EXPECT_EQ(queue_forgotten_videos(engines.services(), later), 1);
  client.ask({"DEL",
              "celery\x06\x16"
              "3"});
  EXPECT_EQ(queue_forgotten_videos(engines.services(), later), 0);
  auto queued = [&] {
    return client
        .ask({"LLEN",
              "celery\x06\x16"
              "3"})
        .integer;
  };
  EXPECT_EQ(queued(), 0) << "its worker may be at work";
  constexpr Millis hours_ms = 4 * 3'600'000;
  auto then = std::to_string(now_ms() - hours_ms);
  client.ask({"HSET", "segments:task:process-v1", "created_at", then, "ready_at", then});
  EXPECT_EQ(queue_forgotten_videos(engines.services(), later), 0);
  EXPECT_EQ(queued(), 1);
  client.ask({"HSET", "segments:task:process-v1", "created_at", then, "ready_at", then});
  EXPECT_EQ(queue_forgotten_videos(engines.services(), later), 0);
  EXPECT_EQ(queued(), 1) << "it is there";
}

}  // namespace
}  // namespace segments
