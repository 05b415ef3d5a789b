// What the queue does with messages that are as they should be: hands them out, lets them wait, drops them.
#include <map>
#include <set>

#include "base/error.h"
#include "celery/test_queue.h"

namespace segments::celery {

TEST_F(CeleryListsTest, own_messages_are_whole_ones) {
  auto& own = open();
  own.queue.enqueue({.id = "a",
                     .name = "tasks.add",
                     .arguments = R"({"x": 1, "name": "é"})",
                     .user_id = "ada",
                     .not_before = clock + 1500,
                     .expires = clock + 60'000,
                     .time_limit_s = 60,
                     .parent_id = "batch",
                     .soft_time_limit_s = 50,
                     .priority = 4});
  EXPECT_EQ(number({"LLEN", keys::queue_list("celery", 3)}), 1);
  EXPECT_EQ(number({"SISMEMBER", "_kombu.binding.celery", keys::binding_member("celery", "celery")}), 1);
  auto raw = client.ask({"LINDEX", keys::queue_list("celery", 3), "0"}).text;
  auto message = std::get<TaskMessage>(decode_message(raw));
  EXPECT_EQ(message.protocol, 2);
  EXPECT_EQ(message.eta, clock + 1500);
  EXPECT_EQ(message.expires, clock + 60'000);
  EXPECT_EQ(message.time_limit.hard_s, 60);
  EXPECT_EQ(message.time_limit.soft_s, 50);
  EXPECT_EQ(message.kwargsrepr, "{'x': 1, 'name': 'é'}");
  EXPECT_EQ(message.argsrepr, "()");
  EXPECT_EQ(message.parent_id, "batch");
  EXPECT_EQ(message.root_id, "a");
  EXPECT_EQ(message.origin, "celery@test");
  EXPECT_EQ(message.priority, 4);
  EXPECT_FALSE(message.delivery_tag.empty());
  EXPECT_THROW(own.queue.enqueue({.name = "tasks.add", .arguments = "[1]"}), Error);
}

TEST_F(CeleryListsTest, a_lease_is_an_entry_in_unacked_under_a_tag_of_its_own) {
  auto& own = open();
  push(add_message("a"));
  auto tasks = own.queue.lease_tasks("w", 1, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].arguments, R"({"x":1,"y":2})");
  auto tag = "segments-" + std::to_string(tasks[0].fence);
  auto value = read_json(client.ask({"HGET", "unacked", tag}).text);
  ASSERT_TRUE(value);
  ASSERT_EQ(value->items().size(), 3u);
  EXPECT_EQ(value->items()[1].text(), "");
  EXPECT_EQ(value->items()[2].text(), "celery");
  EXPECT_EQ(std::stod(client.ask({"ZSCORE", "unacked_index", tag}).text), 1'795'000'000.0);
  clock += 10'000;
  EXPECT_TRUE(own.queue.renew(tasks[0], lease_ms));
  EXPECT_EQ(std::stod(client.ask({"ZSCORE", "unacked_index", tag}).text), 1'795'000'010.0);
  EXPECT_EQ(own.queue.message_of(tasks[0].fence)->id, "a");
  EXPECT_TRUE(own.queue.finish(tasks[0], "3"));
  EXPECT_FALSE(own.queue.message_of(tasks[0].fence));
  expect_nothing_held();
  EXPECT_EQ(status_in_backend("a"), "SUCCESS");
  EXPECT_GT(number({"TTL", "celery-task-meta-a"}), 86'000);
  EXPECT_GT(number({"TTL", "segments:task:a"}), 86'000);
}

TEST_F(CeleryListsTest, delayed_messages_wait_in_unacked_and_come_when_they_are_due) {
  int received = 0;
  auto options = test_options();
  options.observer.received = [&](const TaskMessage&) { ++received; };
  auto& own = open(std::move(options));
  auto& other = open();
  auto later = add_message("later");
  later.eta = clock + 10'000;
  push(later);
  EXPECT_TRUE(own.queue.lease_tasks("w", 5, lease_ms).empty());
  EXPECT_EQ(number({"HLEN", "unacked"}), 1);
  EXPECT_EQ(number({"LLEN", "celery"}), 0);
  ASSERT_EQ(own.queue.parked().size(), 1u);
  EXPECT_EQ(own.queue.parked()[0].due, clock + 10'000);
  // A Python peer's sweep takes it when it is due, not before.
  auto tag = tag_of(own.queue.parked()[0].fence);
  EXPECT_EQ(std::stod(client.ask({"ZSCORE", "unacked_index", tag}).text), 1'795'000'010.0 - 3'600);
  EXPECT_EQ(own.queue.find_task("later")->next_attempt_at, format_time(clock + 10'000));
  EXPECT_EQ(own.queue.find_task("later")->status, TaskStatus::PENDING);
  own.queue.sweep();
  clock += 9'999;
  EXPECT_TRUE(other.queue.lease_tasks("w", 5, lease_ms).empty());
  clock += 1;
  auto tasks = own.queue.lease_tasks("w", 5, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(received, 1) << "one event, though it was fetched twice";
  EXPECT_TRUE(own.queue.parked().empty());
  EXPECT_TRUE(own.queue.finish(tasks[0], "3"));
  expect_nothing_held();
  // Any process brings it back.
  later.id = "second";
  later.eta = clock + 10'000;
  push(later);
  EXPECT_TRUE(own.queue.lease_tasks("w", 5, lease_ms).empty());
  clock += 10'000;
  EXPECT_EQ(other.queue.lease_tasks("w", 5, lease_ms).size(), 1u);
}

TEST_F(CeleryListsTest, a_limited_task_waits_for_its_turn_and_holds_up_nobody) {
  std::map<std::string, Millis> waits{{"tasks.slow", 500}};
  auto options = test_options();
  options.limit = [&](const std::string& task) { return waits[task]; };
  auto& own = open(std::move(options));
  own.queue.enqueue({.id = "slow", .name = "tasks.slow"});
  own.queue.enqueue({.id = "fast", .name = "tasks.fast"});
  auto tasks = own.queue.lease_tasks("w", 1, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "fast");
  EXPECT_EQ(own.queue.find_task("slow")->status, TaskStatus::PENDING);
  EXPECT_EQ(own.queue.parked().size(), 1u);
  clock += 499;
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, lease_ms).empty());
  clock += 1;
  waits.clear();
  tasks = own.queue.lease_tasks("w", 1, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "slow");
}

TEST_F(CeleryListsTest, several_queues_are_served_in_turn_and_can_be_changed) {
  auto options = test_options();
  options.consumed = {"a", "b", "a"};
  auto& own = open(std::move(options));
  EXPECT_EQ(own.queue.queues(), (std::vector<std::string>{"a", "b"}));
  auto ids_of = [&](int most) {
    std::multiset<std::string> ids;
    for (const auto& task : own.queue.lease_tasks("w", most, lease_ms)) ids.insert(task.id);
    return ids;
  };
  for (int i = 0; i < 4; ++i) {
    push(encode_message(add_message("a" + std::to_string(i))), "a");
    push(encode_message(add_message("b" + std::to_string(i))), "b");
    push(encode_message(add_message("c" + std::to_string(i))), "c");
  }
  auto first = ids_of(1), second = ids_of(1);
  EXPECT_NE(first.begin()->front(), second.begin()->front());
  push(encode_message(add_message("low")), keys::queue_list("a", 9));
  EXPECT_TRUE(own.queue.cancel_queue("b"));
  EXPECT_FALSE(own.queue.cancel_queue("b"));
  EXPECT_EQ(ids_of(3), (std::multiset<std::string>{"a1", "a2", "a3"}));
  EXPECT_TRUE(own.queue.add_queue("c"));
  EXPECT_FALSE(own.queue.add_queue("c"));
  EXPECT_EQ(ids_of(9), (std::multiset<std::string>{"c0", "c1", "c2", "c3", "low"}));
  EXPECT_TRUE(own.queue.lease_tasks("w", 9, lease_ms).empty());
  EXPECT_THROW(own.queue.add_queue("a\"b"), Error);
  EXPECT_THROW(own.queue.set_queues({""}), Error);
}

TEST_F(CeleryListsTest, a_worker_that_only_takes_can_be_found_by_its_exchanges) {
  auto options = test_options();
  options.consumed = {"a", "b"};
  auto& own = open(std::move(options));
  auto bound = [&](const std::string& queue) {
    return number({"SISMEMBER", keys::binding(queue), keys::binding_member(queue, queue)});
  };
  EXPECT_EQ(bound("a"), 0);
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, lease_ms).empty());
  EXPECT_EQ(bound("a"), 1);
  EXPECT_EQ(bound("b"), 1);
}

TEST_F(CeleryListsTest, revoking_stops_the_message_wherever_it_is) {
  auto& own = open();
  own.queue.enqueue({.id = "waits", .name = "tasks.add", .arguments = R"({"x": 1})"});
  auto later = add_message("later");
  later.eta = clock + 3'600'000;
  push(later);
  auto tasks = own.queue.lease_tasks("w", 5, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  own.queue.hand_back(tasks[0]);
  EXPECT_TRUE(own.queue.revoke("waits"));
  EXPECT_TRUE(own.queue.revoke("later"));
  EXPECT_EQ(status_in_backend("waits"), "REVOKED");
  expect_nothing_held();
  EXPECT_TRUE(own.queue.lease_tasks("w", 5, lease_ms).empty());
  std::map<TaskStatus, std::int64_t> counts;
  for (const auto& entry : own.queue.health().counts) counts[entry.status] += entry.count;
  EXPECT_EQ(counts, (std::map<TaskStatus, std::int64_t>{{TaskStatus::REVOKED, 2}}));
  // By remote control, before the message comes.
  std::vector<std::string> ids{"unborn"};
  own.queue.drop_later(ids);
  push(add_message("unborn"));
  push(add_message("good"));
  tasks = own.queue.lease_tasks("w", 5, lease_ms);
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0].id, "good");
  EXPECT_EQ(status_in_backend("unborn"), "REVOKED");
}

TEST_F(CeleryListsTest, says_where_redis_may_evict_tasks) {
  auto& own = open();
  EXPECT_EQ(own.queue.health().danger, "");
  client.ask({"CONFIG", "SET", "maxmemory-policy", "allkeys-lru"});
  EXPECT_EQ(own.queue.health().danger,
            "Redis may evict tasks: its maxmemory-policy is allkeys-lru, set noeviction.");
  client.ask({"ACL", "SETUSER", "default", "-info"});
  EXPECT_EQ(own.queue.health().danger, "");
  client.ask({"ACL", "SETUSER", "default", "+info"});
  client.ask({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
}

// Peers remember revocations for hours, of ids that have been queued again since.
TEST_F(CeleryListsTest, what_peers_remember_as_revoked_stops_no_task_that_is_on_record) {
  auto& own = open();
  own.queue.enqueue({.id = "again", .name = "tasks.test"});
  EXPECT_TRUE(own.queue.revoke("again"));
  client.ask({"DEL", keys::task("again")});  // as when it is old
  own.queue.enqueue({.id = "again", .name = "tasks.test"});
  own.queue.drop_unknown_later(std::vector<std::string>{"again", "stranger"});
  push(add_message("stranger"));
  std::set<std::string> begun;
  for (int i = 0; i < 3; ++i)
    for (const auto& task : own.queue.lease_tasks("w", 5, lease_ms)) begun.insert(task.id);
  EXPECT_EQ(begun, std::set<std::string>{"again"});
  EXPECT_EQ(status_in_backend("stranger"), "REVOKED");
}

TEST_F(CeleryListsTest, expired_messages_are_not_begun) {
  auto& own = open();
  auto old = add_message("old");
  old.expires = clock - 1;
  push(old);
  EXPECT_TRUE(own.queue.lease_tasks("w", 5, lease_ms).empty());
  auto meta = decode_result(client.ask({"GET", "celery-task-meta-old"}).text);
  EXPECT_EQ(meta->status, "REVOKED");
  EXPECT_EQ(meta->exception(), task_revoked("expired"));
  EXPECT_EQ(own.queue.lease_given_up(5, lease_ms).size(), 1u);
  expect_nothing_held();
}

TEST_F(CeleryListsTest, a_task_of_others_is_its_users) {
  auto& own = open();
  TaskMessage message = add_message("a", "[]");
  message.task = "tasks.mine";
  message.kwargs = Json::object({{"user_id", "ada"}});
  push(message);
  auto task = own.queue.lease_tasks("w", 1, lease_ms).at(0);
  EXPECT_EQ(task.user_id, "ada");
  auto state = own.queue.find_task("a");
  EXPECT_EQ(state->user_id, "ada");
  EXPECT_EQ(state->status, TaskStatus::STARTED);
  EXPECT_EQ(state->name, "tasks.mine");
  EXPECT_EQ(state->created_at, format_time(clock));
}

}  // namespace segments::celery
