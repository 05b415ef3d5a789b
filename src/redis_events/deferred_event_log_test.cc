#include "redis_events/deferred_event_log.h"

#include <map>

#include "redis_events/test_log.h"

namespace segments::redis_events {
namespace {

class DeferredEventLogTest : public testing::Test {
 protected:
  redis::RedisServer server_{{.append_only = true}};
  redis::Client client_{redis::parse_url(server_.url()), {.connect_ms = 500, .answer_ms = 500}};
  RedisEventLog redis_{client_};
  DeferredEventLog::Options quick_{.most_kept = 1'000, .try_every_ms = 5, .end_ms = 60'000};

  // What the numbers of the user's events are, in their order, once so many are there.
  std::vector<int> await_numbers(const std::string& user_id, std::size_t count) {
    std::vector<int> numbers;
    EXPECT_TRUE(await([&] {
      numbers.clear();
      for (const auto& event : redis_.list_events({.user_id = user_id, .job_id = {}}, 0, all))
        numbers.push_back(std::stoi(event.data.substr(5)));
      return numbers.size() >= count;
    })) << numbers.size();
    return numbers;
  }
  static std::vector<int> up_to(int end, int from = 0) {
    std::vector<int> numbers;
    for (int i = from; i < end; ++i) numbers.push_back(i);
    return numbers;
  }
};

TEST_F(DeferredEventLogTest, DeliversAtOnceWhileRedisIsThere) {
  DeferredEventLog log(redis_, redis_, quick_);
  std::int64_t last = 0;
  for (int i = 0; i < 100; ++i) {
    auto id = log.append_event(make_event(i, "ann", "j"));
    EXPECT_GT(id, last);
    last = id;
  }
  EXPECT_EQ(log.kept(), 0u);
  EXPECT_EQ(log.newest_event_id(), last);
  EXPECT_EQ(log.find_last_event("j")->id, last);
  EXPECT_EQ(await_numbers("ann", 100), up_to(100));
}

TEST_F(DeferredEventLogTest, KeepsTheOrderOverAnOutage) {
  DeferredEventLog log(redis_, redis_, quick_);
  for (int i = 0; i < 10; ++i) EXPECT_GT(log.append_event(make_event(i, "ann")), 0);
  server_.kill();
  for (int i = 10; i < 60; ++i) EXPECT_EQ(log.append_event(make_event(i, "ann")), 0);
  EXPECT_EQ(log.kept(), 50u);
  EXPECT_THROW(log.list_events({}, 0, 1), Error);
  server_.start();
  for (int i = 60; i < 80; ++i) log.append_event(make_event(i, "ann"));
  EXPECT_EQ(await_numbers("ann", 80), up_to(80));
  EXPECT_TRUE(await([&] { return log.kept() == 0; }));
  EXPECT_GT(log.append_event(make_event(80, "ann")), 0) << "at once again";
  EXPECT_EQ(await_numbers("ann", 81), up_to(81));
}

TEST_F(DeferredEventLogTest, DoublesNothingThatWasDoneUnseen) {
  DeferredEventLog log(redis_, redis_, quick_);
  EXPECT_GT(log.append_event(make_event(0, "ann")), 0);
  for (int round = 0; round < 3; ++round) {
    server_.pause();
    // Redis will carry out what it has been sent, though nobody waits for the answer any more.
    for (int i = 0; i < 20; ++i) EXPECT_EQ(log.append_event(make_event(1 + 20 * round + i, "ann")), 0);
    server_.resume();
    EXPECT_TRUE(await([&] { return log.kept() == 0; }));
  }
  EXPECT_GT(log.append_event(make_event(61, "ann")), 0);
  EXPECT_EQ(await_numbers("ann", 62), up_to(62));
}

TEST_F(DeferredEventLogTest, NobodyWaitsForASilentRedisAsLongAsItIsTried) {
  redis::Client patient_client(redis::parse_url(server_.url()),
                               {.connect_ms = 600'000, .answer_ms = 600'000});
  RedisEventLog patient(patient_client);
  DeferredEventLog log(patient, redis_, quick_);
  EXPECT_GT(log.append_event(make_event(0, "ann")), 0);
  server_.pause();
  for (int i = 1; i < 10; ++i) EXPECT_EQ(log.append_event(make_event(i, "ann")), 0);
  server_.resume();
  EXPECT_TRUE(await([&] { return log.kept() == 0; }));
  EXPECT_EQ(await_numbers("ann", 10), up_to(10));
}

TEST_F(DeferredEventLogTest, KeepsSoManyAndDropsTheOldest) {
  quick_.most_kept = 10;
  DeferredEventLog log(redis_, redis_, quick_);
  server_.kill();
  for (int i = 0; i < 100; ++i) log.append_event(make_event(i, "ann"));
  EXPECT_EQ(log.kept(), 10u);
  server_.start();
  EXPECT_TRUE(await([&] { return log.kept() == 0; }));
  EXPECT_EQ(await_numbers("ann", 10), up_to(100, 90));
}

TEST_F(DeferredEventLogTest, EachWritersOrderHoldsWhileRedisComesAndGoes) {
  constexpr int writers = 8, each = 150;
  quick_.most_kept = writers * each;
  {
    DeferredEventLog log(redis_, redis_, quick_);
    std::atomic<int> writing = writers;
    std::vector<std::jthread> threads;
    for (int w = 0; w < writers; ++w)
      threads.emplace_back([&, w] {
        for (int i = 0; i < each; ++i) log.append_event(make_event(i, "user" + std::to_string(w)));
        --writing;
      });
    // From this thread: a server ends with the thread that started it.
    for (int round = 0; writing > 0 || round < 4; ++round) {
      if (round % 2) {
        server_.restart();
      } else {
        server_.pause();
        server_.resume();
      }
      await([&] { return redis_.newest_event_id() >= 0; });
    }
  }
  for (int w = 0; w < writers; ++w)
    EXPECT_EQ(await_numbers("user" + std::to_string(w), each), up_to(each)) << w;
}

TEST_F(DeferredEventLogTest, DeliversWhatIsLeftBeforeItEnds) {
  {
    DeferredEventLog log(redis_, redis_, quick_);
    server_.kill();
    for (int i = 0; i < 30; ++i) log.append_event(make_event(i, "ann"));
    server_.start();
  }
  EXPECT_EQ(await_numbers("ann", 30), up_to(30));
}

TEST_F(DeferredEventLogTest, EndsInTimeWithoutRedis) {
  quick_.end_ms = 0;
  server_.kill();
  DeferredEventLog log(redis_, redis_, quick_);
  EXPECT_EQ(log.append_event(make_event(0, "ann")), 0);
}

}  // namespace
}  // namespace segments::redis_events
