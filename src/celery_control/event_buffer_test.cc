#include "celery_control/event_buffer.h"

#include <gtest/gtest.h>

#include <thread>

#include "celery_control/revoked_ids.h"
#include "celery_control/settings.h"

namespace segments::celery {

namespace {
Event numbered(int number) {
  return {"task-started", Json::object({{"number", number}})};
}
std::int64_t number_of(const Event& event) {
  return event.fields.at("number").integer().value_or(-1);
}
}  // namespace

TEST(EventBuffer, drops_and_counts_what_is_beyond_its_bound) {
  Bell bell;
  Metrics metrics;
  EventBuffer buffer(bell, &metrics);
  for (std::size_t i = 0; i < EventBuffer::most + 7; ++i) buffer.add(numbered(static_cast<int>(i)));
  EXPECT_EQ(buffer.dropped(), 7u);
  EXPECT_NE(metrics.print().find("segments_celery_events_dropped_total 7"), std::string::npos);
  auto taken = buffer.take(24);
  EXPECT_EQ(taken.size(), 24u);
  for (int i = 0; i < 20; ++i) buffer.add(numbered(-1));
  // Of those that could not be published the oldest are given up.
  buffer.put_back(std::move(taken));
  EXPECT_EQ(buffer.dropped(), 7u + 20);
  auto again = buffer.take(EventBuffer::most);
  EXPECT_EQ(again.size(), EventBuffer::most);
  EXPECT_EQ(number_of(again[0]), 20);
  EXPECT_EQ(number_of(again[4]), 24);
  EXPECT_FALSE(buffer.due());
}

TEST(EventBuffer, keeps_the_order_of_each_thread) {
  Bell bell;
  EventBuffer buffer(bell, nullptr);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&buffer, t] {
      for (int i = 0; i < 1'000; ++i) buffer.add(numbered(t * 1'000 + i));
    });
  std::vector<std::int64_t> last(3, -1);
  for (int count = 0; count < 3'000;) {
    bell.wait(5);
    for (const auto& event : buffer.take(100)) {
      auto number = number_of(event);
      EXPECT_GT(number % 1'000, last[static_cast<std::size_t>(number / 1'000)]);
      last[static_cast<std::size_t>(number / 1'000)] = number % 1'000;
      ++count;
    }
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(last, (std::vector<std::int64_t>(3, 999)));
}

TEST(RevokedIds, the_newest_are_kept) {
  RevokedIds ids;
  EXPECT_TRUE(ids.add("first"));
  EXPECT_FALSE(ids.add("first"));
  for (std::size_t i = 0; i < RevokedIds::most; ++i) ids.add(std::to_string(i));
  EXPECT_FALSE(ids.contains("first"));
  EXPECT_TRUE(ids.contains("0"));
  EXPECT_EQ(ids.list().size(), RevokedIds::most);
}

TEST(Settings, secrets_are_not_shown) {
  for (const char* name : {"JWT_SECRET", "aws_access_key_id", "db_password", "api_url", "AuthToken"})
    EXPECT_EQ(shown_setting(name, "hush"), "********") << name;
  EXPECT_EQ(shown_setting("broker_url", "redis://:hu/s@h@host:1/0"), "redis://:**@host:1/0");
  EXPECT_EQ(shown_setting("broker_url", "redis://user:hush@host"), "redis://user:**@host");
  EXPECT_EQ(shown_setting("broker_url", "redis://host:6379/0"), "redis://host:6379/0");
  EXPECT_EQ(shown_setting("folder", "/srv/a:b@c"), "/srv/a:b@c");
}

}  // namespace segments::celery
