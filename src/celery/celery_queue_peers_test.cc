// What peers leave behind, and what becomes of chords.
#include <map>
#include <set>
#include <thread>

#include "celery/test_queue.h"

namespace segments::celery {

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

// The last part publishes the body, whoever else brings a part at the same moment.
TEST_F(CeleryPeersTest, a_chord_whose_parts_end_together_goes_on_once) {
  constexpr int parts = 240, workers = 4;
  push_chord(parts);
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

}  // namespace segments::celery
