// What becomes of leases when Redis is away for longer than they last, and what counts as a death.
#include <array>

#include "celery/test_queue.h"

namespace segments::celery {

class CeleryOutageTest : public CeleryPeersTest {
 protected:
  CeleryOutageTest() : peer(url(), options()) {}
  // As those who live find Redis after an outage: what only lasts while somebody reaches it is gone.
  void go_away_for(Millis ms) {
    clock += ms;
    client.ask({"DEL", "segments:reachable"});
  }
  void let_everybody_come_back() {
    EXPECT_GT(number({"PTTL", "segments:grace"}), 0) << "it ends by itself";
    client.ask({"DEL", "segments:grace"});
  }
  std::string field(const std::string& id, std::string_view name) {
    return client.ask({"HGET", keys::task(id), name}).text;
  }
  LeasedTask lease_one(CeleryQueue& queue) {
    auto tasks = queue.lease_tasks("w", 1, lease_ms);
    return tasks.empty() ? LeasedTask{} : tasks[0];
  }
  OwnQueue peer;
};

TEST_F(CeleryOutageTest, longer_than_the_leases_takes_no_run_from_who_lives) {
  for (const char* id : {"a", "b"}) push(add_message(id));
  own.queue.beat("w");
  auto tasks = own.queue.lease_tasks("w", 2, lease_ms);
  ASSERT_EQ(tasks.size(), 2u);
  go_away_for(lease_ms + 3'000);
  // Whoever is back first, and whatever it does first.
  const std::array<std::function<void()>, 4> firsts{
      [&] { peer.queue.beat("other"); }, [&] { peer.queue.sweep(); },
      [&] { EXPECT_TRUE(peer.queue.lease_given_up(8, lease_ms).empty()); },
      [&] { EXPECT_TRUE(peer.queue.lease_tasks("other", 5, lease_ms).empty()); }};
  for (std::size_t first = 0; first < firsts.size(); ++first) {
    client.ask({"DEL", "segments:reachable", "segments:grace"});
    firsts[first]();
    for (const auto& then : firsts) then();
    EXPECT_EQ(number({"HLEN", "unacked"}), 2) << first;
  }
  EXPECT_EQ(own.queue.renew_all(tasks, lease_ms), std::vector<bool>(2, true));
  let_everybody_come_back();
  EXPECT_TRUE(peer.queue.lease_tasks("other", 5, lease_ms).empty());
  for (const auto& task : tasks) {
    EXPECT_TRUE(own.queue.finish(task, "3"));
    EXPECT_EQ(field(task.id, "deaths"), "");
  }
  expect_nothing_held();
}

TEST_F(CeleryOutageTest, longer_than_the_visibility_timeout_takes_no_run_from_who_lives) {
  push(add_message("a"));
  auto task = lease_one(own.queue);
  go_away_for(Millis{keys::visibility_timeout_s} * 1000 + 5'000);
  peer.queue.sweep();
  EXPECT_TRUE(own.queue.renew(task, lease_ms));
  let_everybody_come_back();
  peer.queue.sweep();
  EXPECT_TRUE(own.queue.finish(task, "3"));
}

TEST_F(CeleryOutageTest, what_the_dead_held_comes_back_after_it) {
  push(add_message("a"));
  own.queue.beat("w");
  lease_one(own.queue);
  go_away_for(lease_ms + 3'000);
  EXPECT_EQ(lease_one(peer.queue).id, "");
  let_everybody_come_back();
  EXPECT_EQ(lease_one(peer.queue).id, "a");
  EXPECT_EQ(field("a", "deaths"), "1");
}

TEST_F(CeleryOutageTest, nobody_waits_where_nothing_was_held) {
  go_away_for(lease_ms);
  push(add_message("a"));
  own.queue.beat("w");
  lease_one(own.queue);
  clock += lease_ms + 1;
  EXPECT_EQ(lease_one(peer.queue).id, "a");
}

TEST_F(CeleryOutageTest, a_lease_that_ended_under_a_living_worker_is_no_death) {
  push(add_message("a"));
  for (int i = 0; i < 7; ++i) {
    own.queue.beat("w");
    ASSERT_EQ(lease_one(own.queue).id, "a") << i;
    clock += lease_ms + 1;
  }
  EXPECT_EQ(field("a", "deaths"), "");
}

TEST_F(CeleryOutageTest, a_worker_that_was_started_again_under_the_same_name_hides_no_death) {
  push(add_message("a"));
  for (int i = 1; i <= 4; ++i) {
    OwnQueue mine(url(), options());
    mine.queue.beat("w");
    ASSERT_EQ(lease_one(mine.queue).id, "a") << i;
    clock += lease_ms + 1;
    own.queue.beat("w");
    own.queue.sweep();
    EXPECT_EQ(field("a", "deaths"), std::to_string(i));
  }
  OwnQueue mine(url(), options());
  ASSERT_EQ(lease_one(mine.queue).id, "a");
  clock += lease_ms + 1;
  own.queue.sweep();
  EXPECT_EQ(field("a", "status"), "FAILURE") << "it kills whoever takes it";
}

TEST_F(CeleryOutageTest, what_was_taken_and_never_begun_kills_nobody) {
  push(add_message("a"));
  auto task = lease_one(own.queue);
  client.ask({"HDEL", "segments:running", tag_of(task.fence)});
  clock += lease_ms + 1;
  EXPECT_EQ(lease_one(peer.queue).id, "a");
  EXPECT_EQ(field("a", "deaths"), "");
}

// A run that a worker killed meanwhile had, and whose message Python's sweep put back.
TEST_F(CeleryOutageTest, a_run_that_a_peer_restored_waits_again) {
  for (const char* how : {"sweep", "renew", "restore"}) {
    std::string id = how;
    own.queue.enqueue({.id = id, .name = "tasks.add", .arguments = R"({"x": 1})"});
    auto task = lease_one(own.queue);
    ASSERT_EQ(task.id, id);
    auto tag = tag_of(task.fence);
    if (id == "restore") {
      client.ask({"ZADD", "unacked_index", "5", tag});
      client.ask({"ZREM", "segments:leases", tag});
      peer.queue.sweep();
    } else {
      client.ask({"ZREM", "unacked_index", tag});
      client.ask({"HDEL", "unacked", tag});
    }
    if (id == "renew") {
      EXPECT_FALSE(own.queue.renew(task, lease_ms));
      EXPECT_FALSE(own.queue.hand_back(task));
    }
    client.ask({"DEL", "celery"});  // a Python worker has it
    clock += lease_ms + 1;
    peer.queue.sweep();
    EXPECT_EQ(own.queue.find_task(id)->status, TaskStatus::PENDING) << id;
    client.ask({"SET", keys::task_meta(id), encode_result(make_success(id, 3, clock))});
    peer.queue.sweep();
    client.ask({"DEL", keys::task_meta(id)});  // its time has come
    EXPECT_EQ(own.queue.find_task(id)->status, TaskStatus::SUCCESS) << id;
    EXPECT_GT(number({"TTL", keys::task(id)}), 0) << id;
    expect_nothing_held();
  }
  std::map<std::string, std::int64_t> counts;
  for (const auto& entry : own.queue.health().counts)
    counts[std::string(name_of(entry.status))] = entry.count;
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{{"SUCCESS", 3}}));
}

TEST_F(CeleryOutageTest, outcomes_of_python_workers_are_adopted_wherever_they_wait) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 1'500; ++i)
    tasks.push_back({.id = "t" + std::to_string(i), .name = "tasks.add", .arguments = R"({"x": 1})"});
  own.queue.enqueue_all(tasks);
  redis::Command store("MSET");
  for (int i = 300; i < 1'500; ++i) {
    auto id = "t" + std::to_string(i);
    store.add(keys::task_meta(id)).add(encode_result(make_success(id, 3, clock)));
  }
  client.ask(store);
  own.queue.sweep();
  EXPECT_EQ(number({"ZCARD", "segments:waiting"}), 300);
  // And those that come behind a place where it has been.
  client.ask({"SET", keys::task_meta("t0"), encode_result(make_success("t0", 3, clock))});
  own.queue.sweep();
  EXPECT_EQ(number({"ZCARD", "segments:waiting"}), 299);
}

TEST_F(CeleryOutageTest, many_that_wait_are_looked_at_in_turns) {
  std::vector<NewTask> tasks;
  for (int i = 0; i < 12'000; ++i) tasks.push_back({.id = "t" + std::to_string(i), .name = "tasks.add"});
  own.queue.enqueue_all(tasks);
  redis::Command store("MSET");
  for (const auto& task : tasks)
    store.add(keys::task_meta(task.id)).add(encode_result(make_success(task.id, 3, clock)));
  client.ask(store);
  own.queue.sweep();
  auto left = number({"ZCARD", "segments:waiting"});
  EXPECT_LE(left, 7'500);
  EXPECT_GE(left, 5'000) << "no sweep takes too long";
  for (int i = 0; i < 3; ++i) own.queue.sweep();
  EXPECT_EQ(number({"ZCARD", "segments:waiting"}), 0);
}

class CeleryGoneMessagesTest : public CeleryOutageTest {
 protected:
  void enqueue(const std::string& id) {
    own.queue.enqueue({.id = id, .name = "tasks.add", .arguments = R"({"x": 1})", .parent_id = "batch"});
  }
  std::int64_t queued() { return number({"LLEN", "celery"}); }
  static std::string decode_queued(const std::string& raw) {
    auto decoded = decode_message(raw);
    auto* message = std::get_if<TaskMessage>(&decoded);
    return message ? message->id : "";
  }
  static constexpr Millis long_ms = 3 * 3'600'000 + 1;
};

TEST_F(CeleryGoneMessagesTest, are_queued_again_after_hours) {
  enqueue("a");
  client.ask({"DEL", "celery"});
  clock += long_ms / 2;
  enqueue("a");
  EXPECT_EQ(queued(), 0) << "whoever has it may be at work";
  clock += long_ms;
  enqueue("a");
  EXPECT_EQ(queued(), 1);
  clock += long_ms;
  enqueue("a");
  EXPECT_EQ(queued(), 1) << "it is there";
  EXPECT_EQ(client.ask({"HGET", keys::children("batch"), "total"}).text, "1");
  EXPECT_EQ(finish_all(own.queue), std::vector<std::string>{"a"});
  std::map<std::string, std::int64_t> counts;
  for (const auto& entry : own.queue.health().counts)
    counts[std::string(name_of(entry.status))] = entry.count;
  EXPECT_EQ(counts, (std::map<std::string, std::int64_t>{{"SUCCESS", 1}}));
}

TEST_F(CeleryGoneMessagesTest, are_not_those_that_somebody_holds) {
  enqueue("python");
  auto raw = client.ask({"RPOP", "celery"}).text;
  hold("tag-of-python", "[" + raw + R"(, "", "celery"])", 5);
  enqueue("parked");
  auto eta = add_message("parked");
  client.ask({"DEL", "celery"});
  eta.eta = clock + 3 * long_ms;
  push(eta);
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, lease_ms).empty());
  enqueue("runs");
  lease_one(own.queue);
  clock += 2 * long_ms;
  for (const char* id : {"python", "parked", "runs"}) enqueue(id);
  EXPECT_EQ(queued(), 0);
}

TEST_F(CeleryGoneMessagesTest, are_looked_for_in_turns_among_very_many) {
  constexpr int others = 12'000;
  enqueue("gone");
  client.ask({"DEL", "celery"});
  std::vector<NewTask> tasks;
  for (int i = 0; i < others; ++i)
    tasks.push_back({.id = "t" + std::to_string(i), .name = "tasks.add", .priority = i % 2 ? 9 : 0});
  own.queue.enqueue_all(tasks);
  enqueue("python");
  auto raw = client.ask({"LPOP", "celery"}).text;
  clock += long_ms;
  hold("tag-of-python", "[" + raw + R"(, "", "celery"])", 5);
  auto waiting = number({"ZCARD", "segments:waiting"});
  auto lists = [&] { return queued() + number({"LLEN", keys::queue_list("celery", 9)}); };
  auto ask_for_all = [&] {
    for (const char* id : {"gone", "python", "t0", "t1", "t11999"}) enqueue(id);
  };
  ask_for_all();
  own.queue.sweep();
  ask_for_all();
  EXPECT_EQ(lists(), others) << "no sweep looks at all of them";
  own.queue.sweep();
  own.queue.sweep();
  ask_for_all();
  EXPECT_EQ(lists(), others + 1);
  EXPECT_EQ(decode_queued(client.ask({"LINDEX", "celery", "0"}).text), "gone");
  EXPECT_EQ(number({"ZCARD", "segments:waiting"}), waiting);
  clock += long_ms;
  hold("tag-of-python", "[" + raw + R"(, "", "celery"])", 5);
  ask_for_all();
  for (int i = 0; i < 3; ++i) own.queue.sweep();
  ask_for_all();
  EXPECT_EQ(lists(), others + 1) << "all of them are there";
  for (int i = 0; i < 3; ++i) own.queue.sweep();
  EXPECT_EQ(number({"EXISTS", "segments:sought:celery", "segments:search:celery"}), 0);
}

TEST_F(CeleryGoneMessagesTest, are_not_those_of_tasks_that_ended_while_they_were_looked_for) {
  enqueue("a");
  client.ask({"DEL", "celery"});
  for (int i = 0; i < 1'001; ++i) push(add_message("m" + std::to_string(i)));
  clock += long_ms;
  enqueue("a");
  EXPECT_TRUE(own.queue.revoke("a"));
  own.queue.sweep();
  enqueue("a");
  EXPECT_EQ(queued(), 1'001);
}

// A key of the queue's that is in use for something else: all or nothing, and a sentence about it.
TEST_F(CeleryGoneMessagesTest, are_made_by_no_key_that_is_no_list) {
  std::string sentence;
  auto refused = [&](auto call) {
    try {
      call();
    } catch (const Error& error) {
      sentence = error.what();
      return error.kind() == ErrorKind::unavailable;
    }
    return false;
  };
  client.ask({"LPUSH", "celery", "no JSON"});
  EXPECT_TRUE(own.queue.lease_tasks("w", 1, lease_ms).empty());
  auto letters = own.queue.list_dead_letters("", 10);
  ASSERT_EQ(letters.size(), 1u);
  for (int priority : {0, 3}) {
    client.ask({"SET", keys::queue_list("celery", priority), "somebody's"});
    std::vector<NewTask> tasks{{.id = "a", .name = "tasks.add", .expires = clock + 1, .parent_id = "batch"},
                               {.id = "b", .name = "tasks.add", .priority = 3}};
    EXPECT_TRUE(refused([&] { own.queue.enqueue_all(tasks); }));
    EXPECT_NE(sentence.find(priority ? "The key celery\\x06\\x163 in Redis" : "The key celery in Redis"),
              std::string::npos)
        << sentence;
    EXPECT_FALSE(own.queue.find_task("a"));
    EXPECT_EQ(number({"EXISTS", "segments:waiting", "segments:totals", "segments:expiring",
                      keys::children("batch")}),
              0);
    client.ask({"DEL", keys::queue_list("celery", priority)});
  }
  enqueue("a");
  EXPECT_EQ(queued(), 1);
  client.ask({"SET", "celery", "somebody's"});
  EXPECT_TRUE(refused([&] { own.queue.requeue_dead_letter(letters[0].task_id); }));
  EXPECT_EQ(own.queue.list_dead_letters("", 10).size(), 1u);
  client.ask({"DEL", "celery"});
  EXPECT_TRUE(own.queue.requeue_dead_letter(letters[0].task_id));
}

TEST_F(CeleryOutageTest, a_task_without_a_name_can_be_revoked) {
  client.ask({"HSET", keys::task("a"), "status", "PENDING", "retries", "0"});
  client.ask({"ZADD", "segments:waiting", "1", "a"});
  EXPECT_TRUE(own.queue.revoke("a"));
  EXPECT_EQ(own.queue.find_task("a")->status, TaskStatus::REVOKED);
}

}  // namespace segments::celery
