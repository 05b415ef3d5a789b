// What peers leave behind, what processes lose that die, and what a task costs.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "celery/test_queue.h"

namespace segments::celery {

namespace {

TaskMessage add_message(std::string id) {
  TaskMessage message;
  message.task = "tasks.add";
  message.id = std::move(id);
  message.args = *read_json("[1, 2]");
  message.routing_key = "celery";
  return message;
}

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

}  // namespace

TEST_F(CeleryPeersTest, what_a_python_worker_abandoned_is_restored_after_the_visibility_timeout) {
  auto entry = [](const std::string& raw) { return "[" + raw + R"(, "", "celery"])"; };
  auto low = add_message("low");
  low.priority = 9;
  hold("tag-old", entry(encode_message(add_message("old"))), 3'601);
  hold("tag-low", entry(encode_message(low)), 3'700);
  hold("tag-new", entry(encode_message(add_message("new"))), 3'500);
  hold("tag-poison", "{not JSON", 5'000);
  hold("tag-number", "7", 5'000);
  hold("tag-bytes", R"(["\xff", "", "celery"])", 5'000);
  client.ask({"ZADD", "unacked_index", "5", "tag-without-an-entry"});
  client.ask({"HSET", "unacked", "tag-without-a-score", entry(encode_message(add_message("leaked")))});
  own.queue.sweep();
  EXPECT_EQ(number({"EXISTS", "unacked_mutex"}), 0) << "let go";
  EXPECT_EQ(number({"LLEN", "celery"}), 1);
  EXPECT_EQ(number({"LLEN", keys::queue_list("celery", 9)}), 1);
  EXPECT_EQ(number({"ZCARD", "unacked_index"}), 1);
  EXPECT_EQ(number({"HLEN", "unacked"}), 2) << "what is held, and what kombu would leave, too";
  EXPECT_EQ(own.queue.list_dead_letters("", 10).size(), 3u) << "Python's sweeps would end at them";
  auto restored = std::get<TaskMessage>(decode_message(client.ask({"LINDEX", "celery", "0"}).text));
  EXPECT_EQ(restored.id, "old");
  EXPECT_TRUE(restored.redelivered);
  EXPECT_EQ(finish_all(own.queue), (std::vector<std::string>{"old", "low"}));
}

TEST_F(CeleryPeersTest, a_sweep_respects_who_sweeps_already) {
  hold("tag", "[" + encode_message(add_message("old")) + R"(, "", "celery"])", 5'000);
  client.ask({"SET", "unacked_mutex", "somebody", "PX", "100000"});
  own.queue.sweep();
  EXPECT_EQ(number({"LLEN", "celery"}), 0);
  EXPECT_EQ(client.ask({"GET", "unacked_mutex"}).text, "somebody");
}

TEST_F(CeleryPeersTest, an_exchange_is_looked_up_where_a_message_goes_back_to) {
  client.ask({"SADD", "_kombu.binding.direct", keys::binding_member("video", "celery")});
  hold("bound", "[" + encode_message(add_message("bound")) + R"(, "direct", "video"])", 5'000);
  hold("unbound", "[" + encode_message(add_message("unbound")) + R"(, "nowhere", "celery"])", 5'000);
  own.queue.sweep();
  auto ids = finish_all(own.queue);
  EXPECT_EQ((std::set<std::string>(ids.begin(), ids.end())), (std::set<std::string>{"bound", "unbound"}))
      << "kombu would lose the second";
}

TEST_F(CeleryPeersTest, what_a_peer_restored_is_ours_no_more) {
  push(add_message("a"));
  auto task = own.queue.lease_tasks("w", 1, lease_ms).at(0);
  auto tag = tag_of(task.fence);
  client.ask({"ZREM", "unacked_index", tag});
  client.ask({"HDEL", "unacked", tag});
  push(add_message("a"));
  EXPECT_FALSE(own.queue.renew(task, lease_ms));
  EXPECT_FALSE(own.queue.finish(task, "3"));
  clock += lease_ms + 1;
  EXPECT_EQ(finish_all(own.queue), std::vector<std::string>{"a"});
  expect_nothing_held();
}

TEST_F(CeleryPeersTest, a_python_workers_outcomes_are_taken_over) {
  own.queue.enqueue({.id = "batch", .name = "tasks.batch"});
  own.queue.enqueue({.id = "a", .name = "tasks.add", .arguments = R"({"x": 1})", .parent_id = "batch"});
  own.queue.enqueue({.id = "b", .name = "tasks.add", .arguments = R"({"x": 1})", .parent_id = "batch"});
  client.ask({"DEL", "celery"});
  client.ask({"SET", "celery-task-meta-a", encode_result(make_success("a", 3, clock))});
  client.ask({"SET", "celery-task-meta-b",
              encode_result(make_failure("b", {"ValueError", {Json("boom")}, "builtins"}, "tb", clock))});
  EXPECT_EQ(own.queue.find_task("a")->status, TaskStatus::SUCCESS);
  EXPECT_EQ(own.queue.find_task("b")->error, "boom");
  EXPECT_FALSE(own.queue.revoke("a")) << "it is final";
  own.queue.sweep();
  std::map<std::string, std::int64_t> counts;
  for (const auto& entry : own.queue.health().counts)
    counts[entry.name + " " + std::string(name_of(entry.status))] = entry.count;
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{
                        {"tasks.add FAILURE", 1}, {"tasks.add SUCCESS", 1}, {"tasks.batch PENDING", 1}}));
  EXPECT_EQ(own.queue.find_task("batch")->children_done, 2);
  EXPECT_EQ(own.queue.find_task("a")->result->text, "3");
}

TEST_F(CeleryPeersTest, a_trivial_task_costs_at_most_six_commands) {
  constexpr int tasks = 320, batch = 32;
  for (int i = 0; i < tasks; ++i) push(add_message("t" + std::to_string(i)));
  own.queue.lease_tasks("w", 0, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < tasks; i += batch) {
    auto leased = own.queue.lease_tasks("w", batch, lease_ms);
    ASSERT_EQ(leased.size(), std::size_t{batch});
    std::vector<LeaseEnd> ends;
    for (const auto& task : leased) ends.push_back({task, LeaseEnding::finish, "3"});
    EXPECT_EQ(own.queue.end_leases(ends), std::vector<bool>(batch, true));
  }
  auto calls = command_calls();
  std::int64_t all = 0;
  for (const auto& [name, count] : calls) all += count;
  RecordProperty("commands_per_task", std::to_string(static_cast<double>(all) / tasks));
  std::printf("commands per task at batch %d: %.2f\n", batch, static_cast<double>(all) / tasks);
  EXPECT_LE(all, 6 * tasks);
  // Scripts that the server does not know yet are sent again in full.
  EXPECT_LE(calls["evalsha"] + calls["eval"], 2 * tasks / batch + 2) << "one round trip to lease, one to end";
}

TEST_F(CeleryPeersTest, asking_an_idle_queue_is_one_cheap_round_trip) {
  own.queue.lease_tasks("w", 8, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(own.queue.lease_tasks("w", 8, lease_ms).empty());
  auto calls = command_calls();
  EXPECT_EQ(calls["evalsha"], 10);
  std::int64_t all = 0;
  for (const auto& [name, count] : calls) all += count;
  EXPECT_LE(all, 70);
}

TEST_F(CeleryPeersTest, many_renewals_are_one_round_trip) {
  for (int i = 0; i < 100; ++i) push(add_message("t" + std::to_string(i)));
  auto tasks = own.queue.lease_tasks("w", 100, lease_ms);
  own.queue.renew_all(tasks, lease_ms);
  client.ask({"CONFIG", "RESETSTAT"});
  EXPECT_EQ(own.queue.renew_all(tasks, lease_ms), std::vector<bool>(100, true));
  std::int64_t all = 0;
  for (const auto& [name, count] : command_calls()) all += count;
  EXPECT_LE(all, 6);
}

TEST_F(CeleryPeersTest, what_a_killed_process_held_is_handed_out_again) {
  constexpr int tasks = 60;
  for (int i = 0; i < tasks; ++i) push(add_message("t" + std::to_string(i)));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0) {
    OwnQueue mine(url(), options());
    std::size_t held = mine.queue.lease_tasks("child", 25, lease_ms).size();
    for (const auto& task : mine.queue.lease_tasks("child", 5, lease_ms))
      held += !mine.queue.finish(task, "1");
    if (write(ends[1], &held, sizeof held) < 0) _exit(1);
    pause();
    _exit(0);
  }
  std::size_t held = 0;
  ASSERT_EQ(read(ends[0], &held, sizeof held), static_cast<ssize_t>(sizeof held));
  EXPECT_EQ(held, 25u);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(finish_all(own.queue).size(), 30u);
  clock += lease_ms;
  auto again = finish_all(own.queue);
  EXPECT_EQ(again.size(), 25u);
  EXPECT_EQ(again.front(), "t0") << "served in their order";
  expect_nothing_held();
  for (int i = 0; i < tasks; ++i)
    EXPECT_EQ(own.queue.find_task("t" + std::to_string(i))->status, TaskStatus::SUCCESS) << i;
}

TEST(CeleryOutage, nothing_is_lost_when_redis_dies_and_comes_back) {
  set_log_level(LogLevel::off);
  redis::RedisServer server({.append_only = true});
  OwnQueue own(server.url());
  constexpr int tasks = 120;
  std::vector<NewTask> many;
  for (int i = 0; i < tasks; ++i)
    many.push_back({.id = "t" + std::to_string(i), .name = "tasks.add", .arguments = R"({"x": 1})"});
  own.queue.enqueue_all(many);
  auto held = own.queue.lease_tasks("w", 40, 60'000);
  ASSERT_EQ(held.size(), 40u);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(own.queue.finish(held[i], "1"));
  server.kill();
  EXPECT_THROW(own.queue.finish(held[20], "1"), Error);
  server.start();
  auto patiently = [&](auto&& ask) {
    for (int attempt = 0;; ++attempt) try {
        return ask();
      } catch (const Error& error) {
        if (error.kind() != ErrorKind::unavailable || attempt > 500) throw;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
  };
  // Leases are ours still, by their tags.
  for (int i = 20; i < 40; ++i) EXPECT_TRUE(patiently([&] { return own.queue.finish(held[i], "1"); })) << i;
  std::set<std::string> ran;
  while (true) {
    auto leased = patiently([&] { return own.queue.lease_tasks("w", 32, 60'000); });
    if (leased.empty()) break;
    for (const auto& task : leased) {
      EXPECT_TRUE(ran.insert(task.id).second) << task.id;
      EXPECT_TRUE(own.queue.finish(task, "1"));
    }
  }
  EXPECT_EQ(ran.size(), 80u);
  EXPECT_EQ(own.client.ask({"HLEN", "unacked"}).integer, 0);
  for (int i = 0; i < tasks; ++i)
    EXPECT_EQ(own.queue.find_task("t" + std::to_string(i))->status, TaskStatus::SUCCESS);
  set_log_level(LogLevel::info);
}

// The last part publishes the body, whoever else brings a part at the same moment.
TEST_F(CeleryPeersTest, a_chord_whose_parts_end_together_goes_on_once) {
  constexpr int parts = 240, workers = 4;
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
  std::vector<std::thread> threads;
  for (int n = 0; n < workers; ++n)
    threads.emplace_back([&, n] {
      OwnQueue mine(url(), options());
      for (int size = n + 1;; size = size % 7 + 1) {
        auto tasks = mine.queue.lease_tasks("w", size, lease_ms);
        std::erase_if(tasks, [](const LeasedTask& task) { return task.id == "body"; });
        if (tasks.empty()) return;
        std::vector<LeaseEnd> ends;
        for (const auto& task : tasks) ends.push_back({task, LeaseEnding::finish, task.id.substr(1)});
        for (bool taken : mine.queue.end_leases(ends)) EXPECT_TRUE(taken);
      }
    });
  for (auto& thread : threads) thread.join();
  // One of them may have leased the body, and left it.
  clock += lease_ms;
  auto tasks = own.queue.lease_tasks("w", 10, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "body");
  auto results = own.queue.message_of(tasks[0].fence)->args.items().at(0);
  ASSERT_EQ(results.items().size(), std::size_t{parts});
  for (int i = 0; i < parts; ++i) EXPECT_EQ(results.items()[static_cast<std::size_t>(i)].integer(), i);
  EXPECT_EQ(number({"EXISTS", keys::chord_parts("g"), keys::chord_size("g")}), 0);
  // A part that is brought again changes nothing.
  EXPECT_TRUE(own.queue.finish(tasks[0], "1"));
  expect_nothing_held();
}

TEST_F(CeleryPeersTest, a_revoked_run_does_not_hold_up_its_chord) {
  client.ask({"SET", keys::chord_size("g"), "2"});
  for (int i = 0; i < 2; ++i) {
    auto part = add_message("p" + std::to_string(i));
    part.group = "g";
    part.group_index = i;
    part.embed.put("chord",
                   *read_json(R"({"task": "tasks.add", "args": [], "options": {"task_id": "body"}})"));
    push(part);
  }
  auto tasks = own.queue.lease_tasks("w", 2, lease_ms);
  ASSERT_EQ(tasks.size(), 2u);
  EXPECT_TRUE(own.queue.revoke("p0"));
  EXPECT_TRUE(own.queue.finish(tasks[1], "1"));
  EXPECT_TRUE(client.ask({"GET", "celery-task-meta-body"}).is_nil());
  EXPECT_TRUE(own.queue.hand_back(tasks[0]));
  auto meta = decode_result(client.ask({"GET", "celery-task-meta-body"}).text);
  ASSERT_TRUE(meta);
  EXPECT_EQ(meta->exception()->type, "ChordError");
  expect_nothing_held();
}

// Messages that kill a Python worker among them.
TEST_F(CeleryPeersTest, ten_thousand_mutations_lose_none_of_the_good_ones) {
  std::mt19937 random(20261122);
  auto below = [&](std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  std::vector<std::string> seeds;
  for (int i = 0; i < 20; ++i) {
    auto message = add_message("m" + std::to_string(i));
    message.priority = i % 10;
    if (i % 4 == 1) message.eta = clock - 1'000;
    if (i % 4 == 2) message.expires = clock + 3'600'000;
    if (i % 5 == 3) message.group = "g" + std::to_string(i);
    if (i % 5 == 4)
      message.embed.put("callbacks", *read_json(R"([{"task": "tasks.add", "args": [1], "options": {}}])"));
    if (i % 5 == 3)
      message.embed.put("chord", *read_json(R"({"task": "tasks.add", "args": [], "options": {}})"));
    seeds.push_back(encode_message(message));
  }
  constexpr int good = 500, mutations = 10'000;
  for (int i = 0; i < mutations; ++i) {
    auto raw = seeds[below(seeds.size())];
    for (auto changes = below(4) + 1; changes > 0 && !raw.empty(); --changes) {
      auto at = below(raw.size());
      switch (below(6)) {
        case 0:
          raw[at] = static_cast<char>(below(256));
          break;
        case 1:
          raw.erase(at, below(20) + 1);
          break;
        case 2:
          raw.insert(at, raw.substr(below(raw.size()), below(40)));
          break;
        case 3:
          raw[at] = "\"{}[]:,0\\n"[below(10)];
          break;
        case 4:
          raw.resize(at);
          break;
        case 5:
          raw.insert(at, 1, static_cast<char>(below(256)));
          break;
      }
    }
    client.ask({"LPUSH", keys::queue_list("celery", static_cast<int>(below(10))), raw});
    if (i % (mutations / good) == 0) push(add_message("good-" + std::to_string(i)));
  }
  std::set<std::string> ran;
  auto run_all = [&] {
    for (const auto& id : finish_all(own.queue))
      EXPECT_TRUE(!id.starts_with("good-") || ran.insert(id).second) << id;
  };
  run_all();
  // An eta may have become any year.
  clock = 253'402'300'799'000;
  run_all();
  EXPECT_EQ(ran.size(), std::size_t{good});
  expect_nothing_held();
  for (const auto& id : ran)
    EXPECT_EQ(decode_result(client.ask({"GET", keys::task_meta(id)}).text)->status, "SUCCESS");
  EXPECT_EQ(number({"EXISTS", "segments:garbage"}), 0);
}

}  // namespace segments::celery
