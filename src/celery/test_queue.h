// Queues on a real Redis, for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "celery/arguments.h"
#include "celery/celery_queue.h"
#include "redis/client.h"
#include "redis/test_server.h"

namespace segments::celery {

// One server for the whole program: each test begins with an empty one.
inline redis::RedisServer& test_server() {
  static redis::RedisServer server;
  return server;
}

// Takes any task, and its keyword arguments as they are. "tasks.none" is a task that nobody has.
inline std::variant<std::string, PythonException> bind_any(const TaskMessage& message) {
  if (message.task == "tasks.none") return not_registered(message.task);
  if (message.task == "tasks.add") {
    static const TaskSignature add{"tasks.add", {{"x"}, {"y", false}}};
    return bind_arguments(add, message.args, message.kwargs);
  }
  return print_json(message.kwargs);
}

inline CeleryQueueOptions test_options() {
  CeleryQueueOptions options;
  options.node = "celery@test";
  options.bind = bind_any;
  return options;
}

// A queue with a client of its own, as another process has it.
struct OwnQueue {
  explicit OwnQueue(const std::string& url, CeleryQueueOptions options = test_options())
      : client(redis::parse_url(url)), queue(client, std::move(options)) {}
  redis::Client client;
  CeleryQueue queue;
};

class CeleryQueueTest : public testing::Test {
 protected:
  CeleryQueueTest() { client.ask({"FLUSHALL"}); }
  std::string url() const { return test_server().url(); }
  std::int64_t number(std::initializer_list<std::string_view> command) {
    return client.ask(redis::Command(command)).integer;
  }
  // Nothing is held, parked or leased.
  void expect_nothing_held() {
    for (const char* key : {"unacked", "segments:running"}) EXPECT_EQ(number({"HLEN", key}), 0) << key;
    for (const char* key : {"unacked_index", "segments:leases", "segments:delayed"})
      EXPECT_EQ(number({"ZCARD", key}), 0) << key;
  }
  redis::Client client{redis::parse_url(test_server().url())};
};

}  // namespace segments::celery
