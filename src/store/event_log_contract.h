// What every EventLog and Totals do.
#pragma once

#include <condition_variable>
#include <mutex>

#include "store/contract.h"

namespace segments::contract {

class EventLogContract : public StoreContract {
 protected:
  static Event make_event(const std::string& user_id, const std::optional<std::string>& job_id = {},
                          Millis at = 1'000) {
    return {.id = 0,
            .type = job_id ? "job.progress" : "segment.created",
            .user_id = user_id,
            .job_id = job_id,
            .data = "{\"n\":1}",
            .at = at};
  }
};

TEST_P(EventLogContract, KeepsEventsInTheOrderOfTheirIds) {
  EXPECT_EQ(events_.newest_event_id(), 0);
  EXPECT_EQ(events_.oldest_event_id(), 0);
  EXPECT_FALSE(events_.find_last_event("j1"));
  auto first = events_.append_event(make_event("ann"));
  auto second = events_.append_event(make_event("bob", "j1"));
  auto third = events_.append_event(make_event("ann", "j1", 5'000));
  auto fourth = events_.append_event(make_event("ann", "j2"));
  EXPECT_GT(first, 0);
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
  EXPECT_EQ(events_.newest_event_id(), fourth);
  EXPECT_EQ(events_.oldest_event_id(), first);
  auto ids = [&](const EventFilter& filter, std::int64_t after, std::size_t limit) {
    std::vector<std::int64_t> found;
    for (const auto& event : events_.list_events(filter, after, limit)) found.push_back(event.id);
    return found;
  };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(ids({}, 0, 100), (Ids{first, second, third, fourth}));
  EXPECT_EQ(ids({}, first, 2), (Ids{second, third}));
  EXPECT_EQ(ids({.user_id = "ann", .job_id = {}}, 0, 100), (Ids{first, third, fourth}));
  EXPECT_EQ(ids({.user_id = "ann", .job_id = {}}, third, 100), (Ids{fourth}));
  EXPECT_EQ(ids({.user_id = {}, .job_id = "j1"}, 0, 100), (Ids{second, third}));
  EXPECT_EQ(ids({.user_id = "bob", .job_id = "j1"}, 0, 100), (Ids{second}));
  EXPECT_EQ(ids({.user_id = "none", .job_id = {}}, 0, 100), Ids{});
  EXPECT_EQ(ids({}, fourth, 100), Ids{});
  auto last = events_.find_last_event("j1");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->id, third);
  EXPECT_EQ(last->type, "job.progress");
  EXPECT_EQ(last->user_id, "ann");
  EXPECT_EQ(last->job_id, "j1");
  EXPECT_EQ(last->data, "{\"n\":1}");
  EXPECT_EQ(last->at, 5'000);
}

TEST_P(EventLogContract, ForgetsOldEventsAndNeverGivesAnIdTwice) {
  std::int64_t newest = 0;
  for (int i = 0; i < 30; ++i) newest = events_.append_event(make_event("ann", {}, i));
  events_.remove_events_before(10);
  EXPECT_EQ(events_.list_events({}, 0, 100).size(), 20u);
  EXPECT_EQ(events_.oldest_event_id(), newest - 19);
  events_.remove_events_before(1'000);
  EXPECT_EQ(events_.oldest_event_id(), newest + 1) << "whoever has not seen the newest has missed some";
  EXPECT_EQ(events_.newest_event_id(), newest) << "a reader's position is never ahead of the newest";
  EXPECT_GT(events_.append_event(make_event("ann")), newest);
}

TEST_P(EventLogContract, ShowsEventsInOrderToAReaderWhileManyWrite) {
  constexpr int writers = 8, each = 50;
  std::vector<std::int64_t> seen;
  std::thread reader([&] {
    std::int64_t after = 0;
    while (seen.size() < writers * each)
      for (const auto& event : events_.list_events({}, after, 7)) {
        seen.push_back(event.id);
        after = event.id;
      }
  });
  run_at_once(writers, [&](int i) {
    for (int j = 0; j < each; ++j) events_.append_event(make_event("user" + std::to_string(i)));
  });
  reader.join();
  // Nothing became visible below an id that was read before.
  std::vector<std::int64_t> all;
  for (const auto& event : events_.list_events({}, 0, 10'000)) all.push_back(event.id);
  EXPECT_EQ(seen, all);
}

TEST_P(EventLogContract, TellsItsListenerOfNewEvents) {
  std::mutex mutex;
  std::condition_variable told;
  std::int64_t seen = 0;
  int calls = 0;
  events_.on_new_events([&] {
    auto newest = events_.newest_event_id();
    std::lock_guard lock(mutex);
    seen = std::max(seen, newest);
    ++calls;
    told.notify_all();
  });
  for (int i = 0; i < 5; ++i) {
    auto id = events_.append_event(make_event("ann"));
    std::unique_lock lock(mutex);
    EXPECT_TRUE(told.wait_for(lock, std::chrono::seconds(10), [&] { return seen >= id; }));
  }
  events_.on_new_events({});
  int calls_then = calls;
  events_.append_event(make_event("ann"));
  events_.on_new_events([&] {
    std::lock_guard lock(mutex);
    ++calls;
    told.notify_all();
  });
  std::unique_lock lock(mutex);
  EXPECT_TRUE(told.wait_for(lock, std::chrono::seconds(10), [&] { return calls > calls_then; }));
  lock.unlock();
  events_.on_new_events({});
}

TEST_P(EventLogContract, ACheckLeavesNothingBehind) {
  auto newest = events_.append_event(make_event("ann"));
  events_.check_writable();
  EXPECT_EQ(events_.newest_event_id(), newest);
  EXPECT_EQ(events_.list_events({}, 0, 100).size(), 1u);
}

TEST_P(EventLogContract, AddsTotalsExactly) {
  auto& totals = stores_->totals();
  EXPECT_TRUE(totals.list_totals().empty());
  run_at_once(8, [&](int i) {
    for (int j = 0; j < 20; ++j) totals.add_total(i % 2 ? "b{platform=\"tiktok\"}" : "a");
  });
  totals.add_total("a", 1'000);
  using Entry = std::pair<std::string, std::int64_t>;
  EXPECT_EQ(totals.list_totals(), (std::vector<Entry>{{"a", 1'080}, {"b{platform=\"tiktok\"}", 80}}));
}

}  // namespace segments::contract
