// What the tests of this room share.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

#include "base/error.h"
#include "redis/client.h"
#include "redis/test_server.h"
#include "redis_events/relayed_event_log.h"
#include "sqlite/stores.h"
#include "sqlite/test_folder.h"

namespace segments::redis_events {

// False when it did not come to be: the bound ends a test that hangs, and is far above what is needed.
inline bool await(const std::function<bool()>& condition) {
  auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (std::chrono::steady_clock::now() < end) {
    try {
      if (condition()) return true;
    } catch (const Error&) {
      // Redis is away just now.
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

inline Event make_event(int n, const std::string& user_id, const std::string& job_id = "") {
  Event event;
  event.type = job_id.empty() ? "segment.updated" : "job.progress";
  event.user_id = user_id;
  if (!job_id.empty()) event.job_id = job_id;
  event.data = "{\"n\":" + std::to_string(n) + "}";
  event.at = 1'000 + n;
  return event;
}

inline std::string shown(const std::vector<Event>& events) {
  std::string text;
  for (const auto& event : events)
    text += std::to_string(event.id) + " " + event.type + " " + event.user_id + " " +
            event.job_id.value_or("-") + " " + std::to_string(event.at) + " " + event.data + "\n";
  return text;
}

constexpr std::size_t all = 1'000'000;

inline bool is_caught_up(EventLog& source, EventLog& copy) {
  return copy.newest_event_id() == source.newest_event_id() &&
         copy.oldest_event_id() == source.oldest_event_id();
}

inline void expect_same(EventLog& source, EventLog& copy, const EventFilter& filter = {}) {
  EXPECT_EQ(shown(copy.list_events(filter, 0, all)), shown(source.list_events(filter, 0, all)));
}

}  // namespace segments::redis_events
