// Queues on a real Redis, for the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/text.h"
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
  CeleryQueueTest() {
    // A process that the last test killed may still be waited for by the server, and be given what is pushed.
    client.ask({"CLIENT", "KILL", "TYPE", "normal"});
    client.ask({"FLUSHALL"});
  }
  std::string url() const { return test_server().url(); }
  std::int64_t number(std::initializer_list<std::string_view> command) {
    return client.ask(redis::Command(command)).integer;
  }
  // As the worker asks: on and on while there is more to look at.
  std::vector<LeasedTask> lease_all(CeleryQueue& queue, int most) {
    std::vector<LeasedTask> tasks;
    do
      for (auto& task : queue.lease_tasks("w", most, 30'000)) tasks.push_back(std::move(task));
    while (queue.is_more_waiting());
    return tasks;
  }
  // Nothing is held, parked or leased.
  void expect_nothing_held() {
    for (const char* key : {"unacked", "segments:running"}) EXPECT_EQ(number({"HLEN", key}), 0) << key;
    for (const char* key : {"unacked_index", "segments:leases", "segments:delayed"})
      EXPECT_EQ(number({"ZCARD", key}), 0) << key;
  }
  redis::Client client{redis::parse_url(test_server().url())};
};

inline TaskMessage add_message(std::string id, const std::string& args = "[1, 2]") {
  TaskMessage message;
  message.task = "tasks.add";
  message.id = std::move(id);
  message.args = *read_json(args);
  message.routing_key = "celery";
  return message;
}

// With a clock that the test moves.
class CeleryPeersTest : public CeleryQueueTest {
 protected:
  static constexpr int lease_ms = 30'000;
  CeleryPeersTest() : own(url(), options()) { set_log_level(LogLevel::off); }
  ~CeleryPeersTest() override { set_log_level(LogLevel::info); }
  CeleryQueueOptions options() {
    auto options = test_options();
    options.clock = [this] { return clock.load(); };
    return options;
  }
  void push(const TaskMessage& message) { client.ask({"LPUSH", "celery", encode_message(message)}); }
  // The parts "p0", "p1", ... of the chord "g", whose task after them has the id "body".
  void push_chord(int parts) {
    client.ask({"SET", keys::chord_size("g"), std::to_string(parts)});
    for (int i = 0; i < parts; ++i) {
      auto part = add_message("p" + std::to_string(i));
      part.group = "g";
      part.group_index = i;
      part.embed.put(
          "chord",
          *read_json(R"({"task": "tasks.add", "args": [], "kwargs": {}, "options": {"task_id": "body"}})"));
      push(part);
    }
  }
  // As a Python worker holds it since `seconds` ago.
  void hold(const std::string& tag, const std::string& value, int seconds) {
    client.ask({"HSET", "unacked", tag, value});
    client.ask({"ZADD", "unacked_index", std::to_string(clock / 1000 - seconds) + ".25", tag});
  }
  std::vector<std::string> finish_all(CeleryQueue& queue) {
    std::vector<std::string> ids;
    for (auto tasks = queue.lease_tasks("w", 50, lease_ms); !tasks.empty();
         tasks = queue.lease_tasks("w", 50, lease_ms)) {
      std::vector<LeaseEnd> ends;
      for (const auto& task : tasks) ends.push_back({task, LeaseEnding::finish, "3"});
      auto taken = queue.end_leases(ends);
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        EXPECT_TRUE(taken[i]) << tasks[i].id;
        ids.push_back(tasks[i].id);
      }
    }
    return ids;
  }
  std::map<std::string, std::int64_t> command_calls() {
    std::map<std::string, std::int64_t> calls;
    for (const auto& line : split(client.ask({"INFO", "commandstats"}).text, '\n')) {
      auto name = line.find("cmdstat_"), colon = line.find(":calls=");
      if (name != 0 || colon == line.npos) continue;
      calls[line.substr(8, colon - 8)] = std::strtoll(line.c_str() + colon + 7, nullptr, 10);
    }
    calls.erase("info");
    calls.erase("config|resetstat");
    return calls;
  }

  std::atomic<Millis> clock{1'795'000'000'000};
  OwnQueue own;
};

// What the queue does with messages as they stand in the lists.
class CeleryListsTest : public CeleryQueueTest {
 protected:
  static constexpr int lease_ms = 30'000;
  OwnQueue& open(CeleryQueueOptions options = test_options()) {
    options.clock = [this] { return clock; };
    opened.push_back(std::make_unique<OwnQueue>(url(), std::move(options)));
    return *opened.back();
  }
  void push(const std::string& raw, const std::string& list = "celery") { client.ask({"LPUSH", list, raw}); }
  void push(const TaskMessage& message) {
    push(encode_message(message), keys::queue_list("celery", message.priority));
  }
  std::string status_in_backend(const std::string& id) {
    auto meta = client.ask({"GET", keys::task_meta(id)});
    return meta.is_nil() ? "" : decode_result(meta.text)->status;
  }
  Millis clock = 1'795'000'000'000;
  std::vector<std::unique_ptr<OwnQueue>> opened;
};

}  // namespace segments::celery
