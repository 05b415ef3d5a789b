#include "redis_events/event_log.h"

#include <atomic>
#include <mutex>
#include <set>

#include "redis_events/test_log.h"
#include "store/contract.h"

namespace segments::redis_events {

namespace {

class RedisEvents : public testing::Test {
 protected:
  std::int64_t keys() { return client_.ask({"DBSIZE"}).integer; }

  // What was written outlives kill -9 of the server without a flush for each command.
  redis::RedisServer server_{{.arguments = {"--appendfsync", "everysec"}, .append_only = true}};
  redis::Client client_{redis::parse_url(server_.url())};
  RedisEventLog log_{client_};
};

TEST_F(RedisEvents, KeepAnyBytes) {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  Event event = make_event(1, bytes, bytes + ":user:x");
  event.type = "type " + bytes;
  event.data = bytes + bytes;
  event.at = -5;
  event.id = log_.append_event(event);
  expect_same(log_, log_);
  EXPECT_EQ(shown(log_.list_events({.user_id = bytes, .job_id = {}}, 0, all)), shown({event}));
  EXPECT_EQ(shown(log_.list_events({.user_id = {}, .job_id = event.job_id}, 0, all)), shown({event}));
  EXPECT_EQ(shown({log_.find_last_event(*event.job_id).value()}), shown({event}));
}

TEST_F(RedisEvents, ListPagesOfAUserWithinAJob) {
  std::vector<Event> anns;
  for (int n = 0; n < 60; ++n) {
    Event event = make_event(n, n % 3 ? "bob" : "ann", "j");
    event.id = log_.append_event(event);
    if (n % 3 == 0) anns.push_back(event);
  }
  std::vector<Event> found;
  for (std::int64_t after = 0;;) {
    auto page = log_.list_events({.user_id = "ann", .job_id = "j"}, after, 7);
    found.insert(found.end(), page.begin(), page.end());
    if (page.size() < 7) break;
    after = page.back().id;
  }
  EXPECT_EQ(shown(found), shown(anns));
  EXPECT_TRUE(log_.list_events({}, 0, 0).empty());
  EXPECT_TRUE(log_.list_events({}, INT64_MAX, 10).empty());
}

TEST_F(RedisEvents, LeaveNoKeysBehindOfUsersWhoseEventsAreGone) {
  for (int n = 0; n < 1'700; ++n)
    log_.append_event(make_event(n, "user" + std::to_string(n % 500), n % 2 ? "" : "j" + std::to_string(n)));
  EXPECT_EQ(keys(), 1 + 500 + 850);
  log_.remove_events_before(1'000 + 1'600);
  EXPECT_EQ(log_.list_events({}, 0, all).size(), 100u);
  EXPECT_EQ(keys(), 1 + 100 + 50);
  EXPECT_EQ(log_.list_events({.user_id = "user101", .job_id = {}}, 0, all).size(), 1u);
  log_.remove_events_before(9'000);
  EXPECT_EQ(keys(), 1);
  EXPECT_FALSE(log_.find_last_event("j1650"));
}

TEST_F(RedisEvents, KnowTheirNewestIdAfterARestartThoughEverythingWasRemoved) {
  std::int64_t newest = 0;
  for (int n = 0; n < 10; ++n) newest = log_.append_event(make_event(n, "ann"));
  log_.remove_events_before(9'000);
  client_.ask({"BGREWRITEAOF"});
  ASSERT_TRUE(await([&] {
    return client_.ask({"INFO", "persistence"}).text.find("aof_rewrite_in_progress:0") != std::string::npos &&
           client_.ask({"INFO", "persistence"}).text.find("aof_rewrite_scheduled:0") != std::string::npos;
  }));
  server_.restart();
  ASSERT_TRUE(await([&] { return log_.newest_event_id() == newest; }));
  EXPECT_EQ(log_.oldest_event_id(), newest + 1);
  EXPECT_EQ(log_.append_event(make_event(11, "ann")), newest + 1);
}

TEST_F(RedisEvents, GoOnAboveAllKnownIdsWhenEverythingWasLost) {
  auto newest = log_.append_event(make_event(1, "ann"));
  client_.ask({"FLUSHALL"});
  EXPECT_EQ(log_.newest_event_id(), 0);
  auto next = log_.append_event(make_event(2, "ann"));
  EXPECT_GT(next, newest);
  EXPECT_EQ(log_.oldest_event_id(), next);
  EXPECT_LT(next, 9'007'199'254'740'991) << "readers in JavaScript know it exactly";
}

TEST_F(RedisEvents, AreRefusedWhileRedisIsAway) {
  server_.kill();
  try {
    log_.append_event(make_event(1, "ann"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unavailable);
  }
  EXPECT_THROW(log_.check_writable(), Error);
  server_.start();
  EXPECT_TRUE(await([&] { return log_.append_event(make_event(2, "ann")) > 0; }));
}

TEST_F(RedisEvents, PublishProgressOnTheChannelOfItsJob) {
  std::mutex mutex;
  std::vector<std::string> heard;
  std::atomic<bool> is_listening = false;
  redis::Subscriber subscriber(redis::parse_url(server_.url()), {"job_progress_j1"}, {},
                               {[&](std::string_view channel, std::string_view message) {
                                  std::lock_guard lock(mutex);
                                  heard.push_back(std::string(channel) + " " + std::string(message));
                                },
                                [&] { is_listening = true; }});
  ASSERT_TRUE(await([&] { return is_listening.load(); }));
  log_.append_event(make_event(1, "ann", "j1"));
  log_.append_event(make_event(2, "ann", "j2"));
  log_.append_event(make_event(3, "ann"));
  log_.append_event(make_event(4, "ann", "j1"));
  ASSERT_TRUE(await([&] {
    std::lock_guard lock(mutex);
    return heard.size() >= 2;
  }));
  std::lock_guard lock(mutex);
  EXPECT_EQ(heard, (std::vector<std::string>{"job_progress_j1 {\"n\":1}", "job_progress_j1 {\"n\":4}"}));
}

TEST_F(RedisEvents, TellAgainAfterEveryReconnect) {
  std::atomic<std::int64_t> newest = 0;
  log_.on_new_events([&] { newest = log_.newest_event_id(); });
  redis::Client killer(redis::parse_url(server_.socket_url()));
  for (int n = 1; n <= 10; ++n) {
    // The message of this event may be lost.
    killer.ask({"CLIENT", "KILL", "TYPE", "pubsub"});
    auto id = log_.append_event(make_event(n, "ann"));
    ASSERT_TRUE(await([&] { return newest == id; }));
  }
  log_.on_new_events({});
}

}  // namespace

}  // namespace segments::redis_events
