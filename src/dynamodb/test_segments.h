// Segments on a table of a test's own, with the events in a Redis of the process's.
#pragma once

#include "dynamodb/segment_store.h"
#include "dynamodb/test_table.h"
#include "redis/client.h"
#include "redis/test_server.h"
#include "redis_events/event_log.h"

namespace segments::dynamodb {

class TestEvents {
 public:
  TestEvents() { redis_.ask({"FLUSHALL"}); }
  EventLog& log() { return log_; }
  std::vector<std::string> types() {
    std::vector<std::string> types;
    for (const auto& event : log_.list_events({}, 0, 10'000)) types.push_back(event.type);
    return types;
  }

 private:
  static std::string url() {
    static redis::RedisServer server;
    return server.url();
  }
  redis::Client redis_{redis::parse_url(url())};
  RedisEventLog log_{redis_};
};

inline MetricsReading make_reading(std::int64_t views, const std::string& read_at = now_text()) {
  return {.views = views, .likes = {}, .shares = {}, .comments = {}, .read_at = read_at};
}

struct TestSegments {
  explicit TestSegments(aws::RetryPolicy retry = {}) : table(retry) {}

  TestEvents events;
  TestTable table;
  DynamoSegmentStore store{table.table(), events.log()};

  // For the next requests to the gate: gate.py and faults.py name them.
  void fault(const std::string& json) { engines::dynamodb().fault(json); }
  void heal() { engines::dynamodb().as_new(); }
};

}  // namespace segments::dynamodb
